"""Images of several sizes, from their files to predictions in the frames of the files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_localization.config.results import GallerySettings
from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    INPUT_BOX_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    SIZE_COLUMNS,
    image_sizes,
    pixel_corners,
)
from mnist_localization.data.images.store import ImageStore
from mnist_localization.data.images.store_writer import SplitSpec, write_store
from mnist_localization.errors import ImageError
from mnist_localization.evaluation.baselines import predict_baselines
from mnist_localization.evaluation.metrics import Outcomes
from mnist_localization.evaluation.predictions import predict_store
from mnist_localization.evaluation.scores import score
from mnist_localization.reporting.gallery import collect
from mnist_localization.reporting.html.cards import box_layers, make_tile
from support.settings import image_settings

# Height and width of each image; the third has the size of the model's input.
SIZES = [(40, 80), (90, 30), (32, 48), (20, 20), (200, 210), (64, 96)]
# Corners of the bright box in each, pixels.
BOXES = np.array(
    [
        *([10, 5, 50, 30], [4, 10, 24, 70], [8, 8, 40, 24]),
        *([2, 2, 14, 18], [100, 20, 200, 180], [16, 16, 80, 48]),
    ],
    dtype=float,
)
LETTERBOXED = image_settings(32, 48, letterbox=True, convert_channels=True, background=9)


@pytest.fixture
def spec(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    rows = []
    for number, ((height, width), box) in enumerate(zip(SIZES, BOXES, strict=True)):
        pixels = np.zeros((height, width, 3) if number % 2 else (height, width), np.uint8)
        left, top, right, bottom = box.astype(int)
        pixels[top:bottom, left:right] = 255
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append((f"{number}.png", number % 2, *(box / [width, height, width, height])))
    table = pd.DataFrame(rows, columns=["file", "label", *BOX_COLUMNS])
    return SplitSpec("train", "folder", "train", table, folder, "key", LETTERBOXED, 1.0)


@pytest.fixture
def store(spec, tmp_path):
    write_store(spec, tmp_path / "store")
    return ImageStore(tmp_path / "store")


class SeesBrightness:
    """Predictor of the bounding box of the bright pixels."""

    def __call__(self, images):
        boxes = []
        for image in images[..., 0]:
            rows, columns = (np.flatnonzero((image > 127).any(axis=axis)) for axis in (1, 0))
            height, width = image.shape
            box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            boxes.append(np.array(box) / [width, height, width, height])
        label = np.tile([0.8, 0.2], (len(images), 1))
        return {"label": label, "bbox": np.array(boxes), "bbox_raw": np.array(boxes)}


def test_input_boxes_match_the_stored_pixels(store):
    seen = SeesBrightness()(store.read(range(len(store))))["bbox"]
    np.testing.assert_allclose(
        store.input_boxes * [48, 32, 48, 32], seen * [48, 32, 48, 32], atol=1.0
    )
    assert store.annotations[list(SIZE_COLUMNS)].to_numpy().tolist() == [list(s) for s in SIZES]
    assert store.resized


def test_annotated_boxes_are_kept_beside_those_in_the_model_input(store, spec):
    expected = spec.annotations[list(BOX_COLUMNS)]
    pd.testing.assert_frame_equal(store.annotations[list(BOX_COLUMNS)], expected)
    np.testing.assert_array_equal(store.boxes, expected.to_numpy(np.float32))
    table = predict_store(SeesBrightness(), store, 4)
    pd.testing.assert_frame_equal(table[list(BOX_COLUMNS)], expected)


def test_predictions_are_in_the_frame_of_each_file(store):
    table = predict_store(SeesBrightness(), store, 4)
    sizes = image_sizes(table, 1, 1)
    np.testing.assert_allclose(
        pixel_corners(table[list(BOX_COLUMNS)].to_numpy(), *sizes), BOXES, atol=1e-9
    )
    # One pixel of the model's input is up to 210 / 48 pixels of a file.
    given = pixel_corners(table[list(PREDICTED_BOX_COLUMNS)].to_numpy(), *sizes)
    coarseness = [max(h / 32, w / 48, 1.0) for h, w in SIZES]
    assert (np.abs(given - BOXES).max(axis=1) <= coarseness).all()
    assert table["iou"].min() > 0.7
    assert table["iou"][2] == 1.0
    scores = score(Outcomes(table, LETTERBOXED, 2))
    assert scores["exact_box"] >= 1 / 6


def test_a_prediction_in_the_padding_is_clipped_to_the_image(store):
    def everything(images):
        box = np.tile([0.0, 0.0, 1.0, 1.0], (len(images), 1))
        return {"label": np.tile([1.0, 0.0], (len(images), 1)), "bbox": box, "bbox_raw": box}

    table = predict_store(everything, store, 4)
    np.testing.assert_allclose(table[list(PREDICTED_BOX_COLUMNS)], np.tile([0, 0, 1, 1], (6, 1)))


def test_the_gallery_shows_images_without_padding_in_pixels_of_the_file(store):
    table = predict_store(SeesBrightness(), store, 4)
    items = collect(table, store, GallerySettings(worst=6, mistakes=0, random=0), ["a", "b"], 1)
    for item in items:
        number = int(item.annotated.file.split(".")[0])
        shown = item.annotated.image
        assert item.annotated.size == SIZES[number]
        height, width = SIZES[number]
        assert shown.shape[1] / shown.shape[0] == pytest.approx(width / height, rel=0.08)
        (true,) = item.annotated.box_layers["ground_truth"]
        rows, columns, _ = shown.shape
        left, top, right, bottom = np.rint(true.corners * np.array([columns, rows] * 2)).astype(int)
        inside = shown[top:bottom, left:right, 0]
        assert (inside > 127).mean() > 0.85
        assert (shown[..., 0] > 127).sum() < inside.size * 1.2
        tile = make_tile(item, ["a", "b"], box_layers([item.annotated]))
        assert (tile.data["height"], tile.data["width"]) == SIZES[number]
        assert f'viewBox="0 0 {width} {height}"' in tile.overlay


def test_baselines_are_in_the_frame_of_each_file(store):
    answers = predict_baselines(store, store, whole_pixel_boxes=True)
    assert set(answers["baseline"]) == {"mean_box"}
    assert answers[list(SIZE_COLUMNS)].to_numpy().tolist() == [list(s) for s in SIZES]
    assert score(Outcomes(answers, LETTERBOXED, 2))["mean_iou"] < 0.8


def test_without_letterboxing_another_size_is_an_error(spec, tmp_path):
    strict = replace(spec, image=image_settings(height=32, width=48, channels=1))
    with pytest.raises(ImageError, match=r"0\.png.*80x40.*letterbox"):
        write_store(strict, tmp_path / "strict")


def test_without_conversion_other_channels_are_an_error(spec, tmp_path):
    strict = replace(spec, image=image_settings(height=32, width=48, channels=1, letterbox=True))
    with pytest.raises(ImageError, match=r"1\.png.*3 channels.*convert_channels"):
        write_store(strict, tmp_path / "strict")


def test_images_of_the_inputs_size_are_stored_the_same_with_and_without_letterboxing(
    spec, tmp_path
):
    table = spec.annotations.iloc[[2]]
    stores = []
    for letterbox in (False, True):
        image = image_settings(height=32, width=48, channels=1, letterbox=letterbox)
        folder = tmp_path / str(letterbox)
        write_store(replace(spec, annotations=table, image=image), folder)
        stores.append(ImageStore(folder))
    plain, letterboxed = stores
    np.testing.assert_array_equal(plain.read([0]), letterboxed.read([0]))
    np.testing.assert_array_equal(plain.boxes, letterboxed.boxes)
    np.testing.assert_array_equal(plain.input_boxes, letterboxed.input_boxes)
    assert not set(INPUT_BOX_COLUMNS) & set(plain.annotations)
    assert not plain.resized
    assert not letterboxed.resized
