import io
import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage, Box
from mnist_localization.reporting import contact_sheet

NAMES = ("ant", "bee")


def record(
    image: np.ndarray, sets: tuple[str, ...] = (GROUND_TRUTH, PREDICTIONS)
) -> AnnotatedImage:
    boxes = {
        GROUND_TRUTH: Box((0.53, 0.2, 0.81, 0.6), 1),
        PREDICTIONS: Box((0.5, 0.2, 0.8, 0.6), 0, {"confidence": 0.75, "iou": 0.625}),
    }
    return AnnotatedImage("a.png", image, {name: (boxes[name],) for name in sets})


def rendered(figure: Figure) -> np.ndarray:
    """Pixels of the saved figure, `[height, width, 3]`."""
    file = io.BytesIO()
    figure.savefig(file, dpi=400)
    return np.asarray(Image.open(file).convert("RGB")).astype(int)


def test_a_box_starts_at_the_left_edge_of_its_first_pixel_and_ends_after_its_last() -> None:
    # Columns 53 to 80 and rows 10 to 29 are green: the frame has to hug just these.
    image = np.zeros((50, 100, 3), np.uint8)
    image[10:30, 53:81, 1] = 255
    bare = rendered(contact_sheet([record(image, ())], NAMES, "one"))
    rows, columns = np.nonzero((abs(bare - [0, 255, 0]) < 60).all(axis=2))
    edges = [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1]
    pixel = (edges[1] - edges[0]) / 28
    assert pixel > 10  # rendered pixels an image pixel: enough to tell a fraction of one

    framed = rendered(contact_sheet([record(image, (GROUND_TRUTH,))], NAMES, "one"))
    is_line = (abs(framed - [0x7F, 0xDB, 0xFF]) < 12).all(axis=2)
    row, column = int(rows.mean()), int(columns.mean())
    strokes = [*_strokes(is_line[row], column), *_strokes(is_line[:, column], row)]
    assert strokes == pytest.approx(edges, abs=0.2 * pixel)


def _strokes(line: np.ndarray, inside: int) -> tuple[float, float]:
    """Middles of the two strokes that a line crosses, one before and one after a place."""
    where = np.flatnonzero(line)
    before, after = where[where < inside], where[where > inside]
    return (before.min() + before.max() + 1) / 2, (after.min() + after.max() + 1) / 2


def test_true_and_predicted_box_differ_in_dash_and_in_lightness() -> None:
    figure = contact_sheet([record(np.zeros((50, 100, 1), np.uint8))], NAMES, "one")
    true, predicted = figure.axes[0].patches
    assert (true.get_linestyle(), predicted.get_linestyle()) == ("solid", (0, (3, 2)))
    lightness = [
        np.dot(patch.get_edgecolor()[:3], [0.299, 0.587, 0.114]) for patch in (true, predicted)
    ]
    assert lightness[0] > lightness[1] + 0.2
    assert (true.get_x(), true.get_y(), true.get_width()) == pytest.approx((53, 10, 28))


def test_every_tile_says_what_was_true_what_was_said_and_how_well_it_fits() -> None:
    image = np.zeros((50, 100, 1), np.uint8)
    figure = contact_sheet([record(image)], NAMES, "the worst of all")
    assert figure.axes[0].get_title() == "a.png\ntrue bee, said ant (75 %), IoU 0.62"
    assert figure.get_suptitle() == "the worst of all"
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("x (pixels)", "y (pixels)")
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["true box (solid)", "predicted box (dashed)"]


def test_images_keep_their_pixels_gray_and_in_color() -> None:
    gray = np.arange(5000, dtype=np.uint8).reshape(50, 100, 1)
    color = np.repeat(gray, 3, axis=2)
    figure = contact_sheet([record(gray), record(color)], NAMES, "two")
    first, second = (axes.images[0] for axes in figure.axes)
    assert first.get_extent() == [0, 100, 50, 0]
    assert first.get_clim() == (0, 255)
    assert second.get_array().shape == (50, 100, 3)


def test_images_of_several_sizes_say_their_own_and_share_no_axes() -> None:
    first = record(np.zeros((50, 100, 1), np.uint8))
    # Shown smaller than its file.
    second = replace(record(np.zeros((20, 10, 1), np.uint8)), file_size=(400, 200))
    figure = contact_sheet([first, second], ("a long name", "an even longer name"), "two")
    assert [axes.get_title() for axes in figure.axes] == [
        f"a.png ({size})\ntrue an even longer name\nsaid a long name (75 %), IoU 0.62"
        for size in ("100 x 50", "200 x 400")
    ]
    assert figure.axes[1].images[0].get_extent() == [0, 200, 400, 0]
    for axes in figure.axes:
        assert not axes.xaxis.get_tick_params()["labelbottom"]


@pytest.mark.parametrize("count", [0, 1, 7])
def test_any_number_of_images_is_drawn_without_a_warning(count: int) -> None:
    records = [record(np.zeros((50, 100, 1), np.uint8))] * count
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = contact_sheet(records, NAMES, "some")
        rendered(figure)
    assert sum(bool(axes.images) for axes in figure.axes) == count
