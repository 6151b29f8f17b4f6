"""Contact sheets: images side by side, each with its boxes, right at the pixel."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage
from mnist_localization.data.boxes import pixel_corners

_COLUMNS = 6
_TILE = 1.75  # inches
_HEAD = 0.95  # inches, for title and legend
_FOOT = 0.55  # inches, for the name of the axis
_DPI = 100
_CAPTION = 38  # letters that fit over a tile

# Solid below dashed, light below dark: both are seen where the boxes coincide, in gray too.
_LINES: dict[str, dict[str, Any]] = {
    GROUND_TRUTH: {"color": "#7fdbff", "linewidth": 2.6, "linestyle": "solid"},
    PREDICTIONS: {"color": "#ff4136", "linewidth": 1.3, "linestyle": (0, (3, 2))},
}
_LEGEND = {GROUND_TRUTH: "true box (solid)", PREDICTIONS: "predicted box (dashed)"}


def contact_sheet(
    records: Sequence[AnnotatedImage], class_names: Sequence[str], title: str
) -> Figure:
    """Images in rows of six, each with its true and predicted box.

    Pixel `i` covers `i` to `i + 1`, so a box from x = 0.53 of a width of 100 starts at the left
    edge of pixel 53. Images of several sizes share no axes: each says its size instead.

    Args:
        records: What to show; sets other than ground truth and predictions are left out.
        class_names: Name of each class, in the order of the labels.
        title: What the sheet shows.
    """
    columns = min(_COLUMNS, max(1, len(records)))
    rows = max(1, math.ceil(len(records) / columns))
    shared = len({record.size for record in records}) <= 1
    captions = [_caption(record, class_names, shared) for record in records]
    lines = max((caption.count("\n") + 1 for caption in captions), default=2)
    row_height = _TILE * 1.2 + 0.15 * max(0, lines - 2)
    width, height = max(6.0, _TILE * columns + 0.9), row_height * rows + _HEAD + _FOOT
    figure = Figure(figsize=(width, height), dpi=_DPI)
    figure.subplots_adjust(
        left=0.75 / width,
        right=1 - 0.15 / width,
        top=1 - _HEAD / height,
        bottom=_FOOT / height,
        wspace=0.08,
        hspace=0.32 + 0.1 * max(0, lines - 2),
    )
    tiles = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, tile in enumerate(tiles):
        if index < len(records):
            _draw(tile, records[index], captions[index])
            left, below = index % columns == 0, index >= len(tiles) - columns
            tile.tick_params(labelleft=shared and left, labelbottom=shared and below)
        else:
            tile.set_axis_off()
    shown = [name for name in _LINES if any(name in record.box_layers for record in records)]
    figure.suptitle(title, x=0.02, ha="left", y=1 - 0.12 / height, va="top", fontsize=12)
    figure.legend(
        handles=[Line2D([], [], **_LINES[name], label=_LEGEND[name]) for name in shown],
        loc="upper left",
        bbox_to_anchor=(0.01, 1 - 0.36 / height),
        ncols=2,
        frameon=True,
        facecolor="#444444",
        labelcolor="white",
        fontsize=8,
    )
    figure.supxlabel("x (pixels)", fontsize=9, y=0.1 / height, va="bottom")
    figure.supylabel("y (pixels)", fontsize=9, x=0.1 / width, ha="left")
    return figure


def _draw(tile: Axes, record: AnnotatedImage, caption: str) -> None:
    (height, width), channels = record.size, record.image.shape[2]
    tile.imshow(
        record.image if channels == 3 else record.image[:, :, 0],
        cmap="gray",
        vmin=0,
        vmax=255,
        extent=(0, width, height, 0),
        interpolation="nearest",
    )
    for name, line in _LINES.items():
        for box in record.box_layers.get(name, ()):
            (xmin, ymin, xmax, ymax), *_ = pixel_corners(box.corners, height, width)
            tile.add_patch(Rectangle((xmin, ymin), xmax - xmin, ymax - ymin, fill=False, **line))
    tile.set_title(caption, fontsize=7.5, pad=2)
    tile.set_xticks([0, width // 2, width])
    tile.set_yticks([0, height // 2, height])
    tile.tick_params(labelsize=6.5, length=2, pad=1)
    first, _, last = tile.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def _caption(record: AnnotatedImage, class_names: Sequence[str], shared: bool) -> str:
    height, width = record.size
    lines = [record.file if shared else f"{record.file} ({width} x {height})"]
    true = "".join(
        f"true {class_names[box.class_id]}" for box in record.box_layers.get(GROUND_TRUTH, ())
    )
    for box in record.box_layers.get(PREDICTIONS, ()):
        said = (
            f"said {class_names[box.class_id]} ({100 * box.scores['confidence']:.0f} %), "
            f"IoU {box.scores['iou']:.2f}"
        )
        whole = f"{true}, {said}"
        lines += [whole] if len(whole) <= _CAPTION else [true, said]
    return "\n".join(lines if PREDICTIONS in record.box_layers else [*lines, true])
