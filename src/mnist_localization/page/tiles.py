"""The gallery's tiles: each image as a data URI, its boxes as an overlay right at the pixel."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from mnist_localization.boxes import pixel_corners
from mnist_localization.gallery import GalleryItem
from mnist_localization.page.svg import element
from mnist_localization.page.wording import box_in_pixels, coordinate
from mnist_localization.records import GROUND_TRUTH, PREDICTIONS, Box

REASONS = {
    "worst": "Worst IoU",
    "mistake": "Confident mistake",
    "random": "Random sample",
}

_SETS = ((GROUND_TRUTH, "true"), (PREDICTIONS, "pred"))


def png_data_uri(image: npt.NDArray[np.uint8]) -> str:
    """An image, uint8 `[height, width, 1 or 3]`, as a PNG in a data URI."""
    pixels = image[..., 0] if image.shape[2] == 1 else image
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def overlay(item: GalleryItem) -> Markup:
    """The boxes of an item, drawn over its image.

    The coordinates are pixels of the image file: a box for x = 0.53 of a width of 100 starts at
    53, the left edge of the pixel column 53. Each box has a dark outline below, so that it
    shows on light and on dark images.
    """
    height, width = item.record.size
    boxes = [
        (kind, _outline(box, height, width))
        for name, kind in _SETS
        for box in item.record.sets.get(name, ())
    ]
    # All outlines lie below all lines: where two boxes agree, both lines show.
    drawn = [
        element("path", d=path, class_=f"box-{kind} {layer}")
        for layer in ("halo", "line")
        for kind, path in boxes
    ]
    return element(
        "svg",
        *drawn,
        class_="overlay",
        viewBox=f"0 0 {width} {height}",
        # An image shown smaller than its file may have rounded sides: the boxes follow it.
        preserveAspectRatio="none",
        aria_hidden="true",
        focusable="false",
    )


def tile(item: GalleryItem, class_names: Sequence[str]) -> dict[str, Any]:
    """What the page shows of an item.

    Returns:
        Texts and numbers; `src` (data URI) and `overlay` (SVG) are for the template alone,
        the rest also goes to the script.
    """
    height, width = item.record.size
    true, predicted = class_names[item.label], class_names[item.predicted_label]
    return {
        "file": item.record.file,
        "row": item.row,
        "label": item.label,
        "true": true,
        "predicted": predicted,
        "mistake": item.label != item.predicted_label,
        "confidence": item.confidence,
        "iou": item.iou,
        "reason": item.reason,
        "reason_text": REASONS[item.reason],
        "true_box": _in_words(item.record.sets[GROUND_TRUTH], height, width),
        "predicted_box": _in_words(item.record.sets[PREDICTIONS], height, width),
        "width": width,
        "height": height,
        "src": png_data_uri(item.record.image),
        "overlay": overlay(item),
    }


def _outline(box: Box, height: int, width: int) -> str:
    left, top, right, bottom = map(coordinate, _corners(box, height, width))
    # A path, because a rectangle without area would not be drawn at all.
    return f"M{left} {top}H{right}V{bottom}H{left}Z"


def _in_words(boxes: Sequence[Box], height: int, width: int) -> str:
    return "; ".join(box_in_pixels(_corners(box, height, width)) for box in boxes)


def _corners(box: Box, height: int, width: int) -> tuple[float, float, float, float]:
    xmin, ymin, xmax, ymax = (float(x) for x in pixel_corners(box.corners, height, width)[0])
    return xmin, ymin, xmax, ymax
