import numpy as np
import pytest
from PIL import Image

from mnist_localization.errors import ImageError
from mnist_localization.images import read_image

SHAPE = (6, 8, 1)


def save(path, mode="L", size=(8, 6)):
    Image.new(mode, size, 7 if mode == "L" else None).save(path)
    return path


def test_a_grey_image_keeps_its_pixels(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", SHAPE, 1.0)[..., 0], pixels)


@pytest.mark.parametrize(
    ("mode", "size", "reason"),
    [
        ("L", (9, 6), "9x6 pixels, but dataset.image says 8x6"),
        ("RGB", (8, 6), "3 channels"),
        ("RGBA", (8, 6), "4 channels"),
        ("L", (2000, 2000), "more than split.max_image_mb"),
    ],
)
def test_an_image_of_another_shape_is_refused_by_name(tmp_path, mode, size, reason):
    path = save(tmp_path / "a.png", mode, size)
    with pytest.raises(ImageError, match=rf"a\.png.*{reason}"):
        read_image(path, SHAPE, 1.0)


def test_a_truncated_image_is_refused(tmp_path):
    path = save(tmp_path / "a.png")
    path.write_bytes(path.read_bytes()[:45])
    with pytest.raises(ImageError, match="damaged|no image"):
        read_image(path, SHAPE, 1.0)


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("GIF? no")
    with pytest.raises(ImageError, match="no image"):
        read_image(tmp_path / "a.png", SHAPE, 1.0)
