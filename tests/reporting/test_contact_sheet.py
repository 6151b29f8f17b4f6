"""Contact sheets of predictions and of the dataset."""

import io
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage, Box
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.evaluation.predictions import prediction_table
from mnist_localization.reporting.contact_sheet import (
    annotation_sample,
    augmentation_sample,
    contact_sheet,
    prediction_sheets,
)
from support.settings import section
from support.small_stores import make_store

NAMES = ("ant", "bee")
CLASS_NAMES = ClassNames(("small", "large"))


def rectangles(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


class Split:
    """A split whose store has nine images."""

    def __init__(self, folder: Path) -> None:
        self.store = make_store(folder, count=9, seed=1)


@pytest.fixture
def split(tmp_path: Path) -> Any:
    return Split(tmp_path)


def annotated(
    image: np.ndarray, layers: tuple[str, ...] = (GROUND_TRUTH, PREDICTIONS)
) -> AnnotatedImage:
    boxes = {
        GROUND_TRUTH: Box((0.53, 0.2, 0.81, 0.6), 1),
        PREDICTIONS: Box((0.5, 0.2, 0.8, 0.6), 0, {"confidence": 0.75, "iou": 0.625}),
    }
    return AnnotatedImage("a.png", image, {name: (boxes[name],) for name in layers})


def rendered(figure: Figure) -> np.ndarray:
    """Return the pixels of the saved figure, `[height, width, 3]`."""
    file = io.BytesIO()
    figure.savefig(file, dpi=400)
    return np.asarray(Image.open(file).convert("RGB")).astype(int)


def test_a_box_starts_at_the_left_edge_of_its_first_pixel_and_ends_after_its_last() -> None:
    # Columns 53 to 80 and rows 10 to 29 are green, and the frame must enclose exactly these.
    image = np.zeros((50, 100, 3), np.uint8)
    image[10:30, 53:81, 1] = 255
    bare = rendered(contact_sheet([annotated(image, ())], NAMES, "one"))
    rows, columns = np.nonzero((abs(bare - [0, 255, 0]) < 60).all(axis=2))
    edges = [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1]
    pixel = (edges[1] - edges[0]) / 28
    assert pixel > 10  # rendered pixels per image pixel, enough to measure a fraction of one

    framed = rendered(contact_sheet([annotated(image, (GROUND_TRUTH,))], NAMES, "one"))
    is_line = (abs(framed - [0x7F, 0xDB, 0xFF]) < 12).all(axis=2)
    row, column = int(rows.mean()), int(columns.mean())
    strokes = [*_strokes(is_line[row], column), *_strokes(is_line[:, column], row)]
    assert strokes == pytest.approx(edges, abs=0.2 * pixel)


def _strokes(line: np.ndarray, inside: int) -> tuple[float, float]:
    """Return the centers of the two strokes that a line crosses, before and after a place."""
    where = np.flatnonzero(line)
    before, after = where[where < inside], where[where > inside]
    return (before.min() + before.max() + 1) / 2, (after.min() + after.max() + 1) / 2


def test_true_and_predicted_box_differ_in_dash_and_in_lightness() -> None:
    figure = contact_sheet([annotated(np.zeros((50, 100, 1), np.uint8))], NAMES, "one")
    true, predicted = rectangles(figure.axes[0])
    assert (true.get_linestyle(), predicted.get_linestyle()) == ("solid", (0, (3, 2)))
    lightness = [
        np.dot(patch.get_edgecolor()[:3], [0.299, 0.587, 0.114]) for patch in (true, predicted)
    ]
    assert lightness[0] > lightness[1] + 0.2
    assert (true.get_x(), true.get_y(), true.get_width()) == pytest.approx((53, 10, 28))


def test_every_tile_states_true_and_predicted_class_confidence_and_iou() -> None:
    image = np.zeros((50, 100, 1), np.uint8)
    figure = contact_sheet([annotated(image)], ("3", "7"), "lowest IoU")
    assert figure.axes[0].get_title() == "a.png\ntrue 7, predicted 3 (75 %), IoU 0.62"
    assert figure.get_suptitle() == "lowest IoU"
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("x (pixels)", "y (pixels)")
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["true box (solid)", "predicted box (dashed)"]


def test_gray_and_color_images_keep_their_pixels() -> None:
    gray = np.arange(5000, dtype=np.uint8).reshape(50, 100, 1)
    color = np.repeat(gray, 3, axis=2)
    figure = contact_sheet([annotated(gray), annotated(color)], NAMES, "two")
    first, second = (axes.images[0] for axes in figure.axes)
    assert first.get_extent() == [0, 100, 50, 0]
    assert first.get_clim() == (0, 255)
    assert second.get_array().shape == (50, 100, 3)


def test_images_of_several_sizes_state_their_size_and_share_no_axes() -> None:
    first = annotated(np.zeros((50, 100, 1), np.uint8))
    # Shown smaller than its file.
    second = replace(annotated(np.zeros((20, 10, 1), np.uint8)), file_size=(400, 200))
    figure = contact_sheet([first, second], ("a long name", "an even longer name"), "two")
    assert [axes.get_title() for axes in figure.axes] == [
        f"a.png ({size})\ntrue an even longer name\npredicted a long name (75 %), IoU 0.62"
        for size in ("100 x 50", "200 x 400")
    ]
    assert figure.axes[1].images[0].get_extent() == [0, 200, 400, 0]
    for axes in figure.axes:
        assert not axes.xaxis.get_tick_params()["labelbottom"]


@pytest.mark.parametrize("count", [0, 1, 7])
def test_any_number_of_images_is_drawn_without_a_warning(count: int) -> None:
    images = [annotated(np.zeros((50, 100, 1), np.uint8))] * count
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = contact_sheet(images, NAMES, "some")
        rendered(figure)
    assert sum(bool(axes.images) for axes in figure.axes) == count


def sample(split: Any, count: int, seed: int) -> Figure:
    figure: Figure = annotation_sample(
        section("split", contact_sheet=count), seed, CLASS_NAMES, split
    )
    return figure


def test_the_dataset_sample_frames_the_objects_of_its_images(split: Any) -> None:
    figure = sample(split, 4, seed=2)
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 4
    for axes in shown:
        (frame,) = rectangles(axes)
        rows, columns = np.nonzero(np.asarray(axes.images[0].get_array()))
        assert frame.get_x() == pytest.approx(columns.min())
        assert frame.get_x() + frame.get_width() == pytest.approx(columns.max() + 1)
        assert frame.get_y() == pytest.approx(rows.min())
        size = "small" if round(frame.get_width()) == 8 else "large"
        assert axes.get_title().endswith(f"true {size}")
    assert "4 of 9 images of the train split (source: synthetic)" in figure.get_suptitle()


def test_the_dataset_sample_depends_only_on_the_seed(split: Any) -> None:
    def titles(seed: int) -> list[str]:
        return [axes.get_title() for axes in sample(split, 3, seed).axes]

    assert titles(2) == titles(2)
    assert titles(2) != titles(3)
    assert len(sample(split, 50, seed=2).legends[0].get_texts()) == 1


@pytest.mark.parametrize("scale", [0.0, 0.5])
def test_the_augmented_sample_frames_the_scaled_objects(split: Any, scale: float) -> None:
    train = section(
        "train", augmentation={"preset": "none", "share": 0.2, "scale": scale, "blur": 0.1}
    )
    figure = augmentation_sample(train, section("split"), 1, CLASS_NAMES, split)
    sides = set()
    for axes in (axes for axes in figure.axes if axes.images):
        (frame,) = rectangles(axes)
        rows, columns = np.nonzero(np.asarray(axes.images[0].get_array()) > 75)
        assert frame.get_x() == pytest.approx(columns.min(), abs=1)
        assert frame.get_x() + frame.get_width() == pytest.approx(columns.max() + 1, abs=1)
        assert frame.get_y() == pytest.approx(rows.min(), abs=1)
        sides.add(round(float(frame.get_width()), 3))
    assert (len(sides) > 2) == (scale > 0)
    assert "augmented as 20 % of the images of an epoch" in figure.get_suptitle()


@pytest.mark.parametrize("changes", [{"share": 0}, {"preset": "none"}])
def test_without_augmentation_the_sample_says_so(split: Any, changes: dict[str, Any]) -> None:
    train = section("train", augmentation=changes)
    figure = augmentation_sample(train, section("split"), 1, CLASS_NAMES, split)
    assert (
        "not augmented, because train.augmentation turns off all changes" in figure.get_suptitle()
    )


def test_prediction_sheets_show_the_lowest_iou_first_and_a_random_sample(split: Any) -> None:
    store = split.store
    moved = store.boxes + np.linspace(0.1, 0.0, 9)[:, None]
    table = prediction_table(store.annotations, store.labels, np.ones(9), moved, moved)
    settings = section("evaluate", contact_sheet=4)
    worst, random = prediction_sheets(settings, 0, CLASS_NAMES, table, split)
    files = [axes.get_title().split("\n")[0] for axes in worst.axes if axes.images]
    assert files == table.sort_values("iou", kind="stable")["file"].head(4).tolist()
    assert worst.get_suptitle() == "4 of 9 test images, lowest IoU first"
    assert random.get_suptitle() == "4 of 9 test images, random sample"
    assert sum(bool(axes.images) for axes in random.axes) == 4
