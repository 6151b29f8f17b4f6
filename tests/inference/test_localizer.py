import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from mnist_localization import Detection, Localizer
from mnist_localization.data.boxes import paired_iou
from mnist_localization.errors import ImageError, ModelError
from mnist_localization.inference import describe_images
from mnist_localization.inference.localizer import appearance_distance
from mnist_localization.models.provenance import Provenance


def iou(found, left, top, side):
    return paired_iou([found.box], [[left, top, left + side, top + side]])[0]


def test_a_detection_has_label_confidence_and_box_in_pixels(localizer, square):
    (found,) = localizer.predict(square(40, 40, 12, 8, 16))
    assert isinstance(found, Detection)
    assert (found.label, found.class_id) == ("large", 1)
    assert 0.5 < found.confidence <= 1.0
    assert iou(found, 12, 8, 16) > 0.5
    assert (found.width, found.height, found.inverted) == (40, 40, False)
    assert localizer.class_names == ("small", "large")
    assert localizer.input_shape == (40, 40, 1)


@pytest.mark.parametrize(("height", "width"), [(80, 120), (200, 100), (40, 200)])
def test_an_image_of_another_size_is_letterboxed_and_its_box_transformed_back(
    localizer, square, height, width
):
    side = 16 * max(height, width) // 40
    side = min(side, height, width)
    left, top = (width - side) // 2, (height - side) // 2
    (found,) = localizer.predict(square(height, width, left, top, side))
    xmin, ymin, xmax, ymax = found.box
    assert 0 <= xmin <= xmax <= width
    assert 0 <= ymin <= ymax <= height
    assert iou(found, left, top, side) > 0.4
    assert (found.width, found.height) == (width, height)


def test_paths_pillow_images_and_arrays_of_any_channels_give_the_same_result(
    localizer, square, tmp_path
):
    pixels = square(40, 40, 10, 10, 16)
    Image.fromarray(pixels).save(tmp_path / "square.png")
    alpha = np.dstack([pixels] * 3 + [np.full_like(pixels, 255)])
    images = [
        pixels,
        pixels[:, :, None],
        np.dstack([pixels] * 3),
        alpha,
        Image.fromarray(pixels),
        Image.fromarray(pixels).convert("P"),
        tmp_path / "square.png",
        str(tmp_path / "square.png"),
    ]
    found = localizer.predict(images, batch_size=3)
    assert len(found) == len(images)
    for each in found[1:]:
        np.testing.assert_allclose(each.box, found[0].box, atol=1e-4)
        assert each.label == found[0].label


def test_one_image_a_batch_and_a_generator_are_accepted(localizer, square):
    pixels = square(40, 40, 5, 5, 8)
    assert len(localizer.predict(pixels)) == 1
    assert len(localizer.predict(Image.fromarray(pixels))) == 1
    assert len(localizer.predict(np.stack([pixels] * 3)[..., None])) == 3
    assert len(localizer.predict(pixels for _ in range(2))) == 2
    assert localizer.predict([]) == []


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((40, 40)), "float64.*uint8"),
        (np.zeros((40, 40, 2), np.uint8), "1, 3 or 4 channels"),
        (np.zeros((0, 40), np.uint8), r"\(0, 40\)"),
        ("nowhere.png", r"nowhere\.png: the file does not exist"),
        (42, "int"),
    ],
)
def test_something_else_than_an_image_is_an_error(localizer, image, message):
    with pytest.raises(ImageError, match=message):
        localizer.predict([image])


def test_an_image_beyond_the_size_limit_is_rejected_before_decoding(saved, tmp_path):
    Image.new("L", (2000, 2000)).save(tmp_path / "large.png")
    small = Localizer.load(saved, max_image_mb=1.0)
    with pytest.raises(ImageError, match=r"large\.png: 2000x2000 pixels would take 4 MiB"):
        small.predict(tmp_path / "large.png")


def test_a_pillow_image_that_is_not_decoded_yet_is_rejected_before_decoding(
    saved, tmp_path, monkeypatch
):
    Image.new("L", (2000, 2000)).save(tmp_path / "large.png")
    small = Localizer.load(saved, max_image_mb=1.0)

    def decoded(self):
        raise AssertionError("decoded")

    with Image.open(tmp_path / "large.png") as image:
        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
        with pytest.raises(ImageError, match=r"the image: 2000x2000 pixels would take 4 MiB"):
            small.predict(image)


def test_the_size_of_an_array_is_not_limited(saved):
    small = Localizer.load(saved, max_image_mb=1.0)
    (found,) = small.predict(np.zeros((1100, 1000), np.uint8))
    assert (found.width, found.height) == (1000, 1100)


def test_a_dark_on_light_image_is_marked_and_inverted_on_request(localizer, square):
    light, dark = square(40, 40, 12, 8, 16), 255 - square(40, 40, 12, 8, 16)
    known, unlike = localizer.predict([light, dark])
    assert (known.unlike_training, unlike.unlike_training) == (False, True)
    kept, turned = localizer.predict([light, dark], invert="auto")
    assert (kept.inverted, turned.inverted) == (False, True)
    assert not turned.unlike_training
    np.testing.assert_allclose(turned.box, kept.box, atol=1e-4)
    (always,) = localizer.predict(dark, invert=True)
    assert always.inverted
    np.testing.assert_allclose(always.box, turned.box, atol=1e-4)


def test_a_padded_dark_on_light_image_is_inverted_before_it_is_padded(localizer, square):
    wide = 255 - square(40, 120, 50, 10, 20)
    (found,) = localizer.predict(wide, invert="auto")
    assert found.inverted
    assert not found.unlike_training


def test_images_are_described_by_the_range_of_their_brightness_and_border():
    images = np.zeros((3, 4, 4, 1), np.uint8)
    images[1:, 1:3, 1:3] = 100  # no border
    facts = describe_images(images, background=7, padded=True)
    assert (facts.background, facts.padded) == (7, True)
    assert facts.border == (0.0, 0.0)
    assert facts.brightness == pytest.approx((0.5, 25.0))
    assert appearance_distance(np.full((4, 4, 1), 60, np.uint8), facts) == pytest.approx(60.0)
    assert appearance_distance(images[1], facts) == 0.0


def test_a_model_without_provenance_returns_class_indices_and_marks_no_image(localizer, square):
    plain = Localizer(localizer._model, Provenance())
    (found,) = plain.predict(255 - square(40, 40, 12, 8, 16), invert="auto")
    assert found.label == str(found.class_id)
    assert (found.inverted, found.unlike_training) == (False, False)


def test_importing_the_package_loads_no_heavy_library():
    script = (
        "import sys\n"
        "import mnist_localization\n"
        "assert not {'numpy', 'PIL'} & set(sys.modules)\n"
        "from mnist_localization import Localizer\n"
        "heavy = {'tensorflow', 'keras', 'kedro', 'wandb', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_new_process_gives_the_same_result_without_importing_kedro_or_wandb(
    localizer, saved, square, tmp_path
):
    Image.fromarray(square(40, 40, 12, 8, 16)).save(tmp_path / "square.png")
    script = (
        "import sys\n"
        "from mnist_localization import Localizer\n"
        "(found,) = Localizer.load(sys.argv[1]).predict(sys.argv[2])\n"
        "print(found.label, *found.box)\n"
        "assert not {'kedro', 'wandb'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(saved), str(tmp_path / "square.png")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (expected,) = localizer.predict(tmp_path / "square.png")
    label, *corners = done.stdout.split()
    assert label == expected.label
    np.testing.assert_allclose([float(corner) for corner in corners], expected.box, atol=1e-3)


def test_a_missing_broken_or_unsafe_model_file_is_an_error_with_the_reason(saved, tmp_path):
    import keras

    lambda_layer = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Lambda(lambda x: x * 2)])
    lambda_layer.save(tmp_path / "unsafe.keras")
    no_heads = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    no_heads.save(tmp_path / "other.keras")
    content = saved.read_bytes()
    (tmp_path / "cut.keras").write_bytes(content[: len(content) // 2])
    (tmp_path / "bytes.keras").write_bytes(content[:300] + bytes(60) + content[360:])
    (tmp_path / "text.keras").write_text("no model")
    for name, reason in {
        "unsafe": "Lambda layer, which would run code",
        "other": "`label` and `bbox`",
        "cut": r"not a complete `\.keras` file",
        "bytes": r"bytes\.keras: cannot load the model",
        "text": r"not a complete `\.keras` file",
        "missing": "does not exist",
    }.items():
        with pytest.raises(ModelError, match=reason):
            Localizer.load(tmp_path / f"{name}.keras")


@pytest.mark.parametrize("images", [None, 5, 1.5, b"photo.png"])
def test_what_is_no_image_is_an_error(localizer, images):
    with pytest.raises(ImageError, match="give a path, a Pillow image"):
        localizer.predict(images)


@pytest.mark.parametrize(
    "image",
    [np.float32(3), np.zeros(()), np.zeros((0, 0), np.uint8), np.zeros((4, 4)), [None], [[]]],
    ids=["scalar", "0-d", "0x0", "floats", "none", "list"],
)
def test_an_unusable_image_is_an_error_in_one_sentence(localizer, image):
    with pytest.raises(ImageError) as raised:
        localizer.predict(image)
    assert "\n" not in str(raised.value)


def test_an_image_without_pixels_is_an_error(localizer):
    with pytest.raises(ImageError, match="size of 0x0 pixels"):
        localizer.predict(Image.new("L", (0, 0)))


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_without_images_is_an_error(localizer, batch_size):
    with pytest.raises(ValueError, match="must be at least 1"):
        localizer.predict(np.zeros((40, 40), np.uint8), batch_size=batch_size)


def test_an_unknown_value_of_invert_is_an_error(localizer):
    with pytest.raises(ValueError, match="must be True, False or 'auto'"):
        localizer.predict(np.zeros((40, 40), np.uint8), invert="yes")


def test_a_large_jpeg_gives_the_result_of_its_pixels(localizer, square, tmp_path):
    pixels = square(2400, 2000, 500, 400, 800)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95)
    small, large = localizer.predict([tmp_path / "a.jpg", pixels])
    assert (small.width, small.height) == (2000, 2400)
    assert paired_iou([small.box], [large.box])[0] > 0.97


def test_bits_of_samples_are_those_of_the_training_images(localizer, square, tmp_path):
    Image.fromarray(square(40, 40, 12, 8, 16).astype(np.uint16) << 2).save(tmp_path / "dark.png")
    images = describe_images(np.zeros((1, 40, 40, 1), np.uint8), sample_bits=16)
    stated = Localizer(localizer._model, Provenance(images=images))
    assert stated.model_input(tmp_path / "dark.png").pixels.max() == 220 // 64
    assert localizer.model_input(tmp_path / "dark.png").pixels.max() == 220 // 4
