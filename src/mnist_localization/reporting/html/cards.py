"""The gallery's tiles: each image as a data URI, its boxes as an overlay right at the pixel."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage, Box
from mnist_localization.data.boxes import pixel_corners
from mnist_localization.reporting.gallery import GalleryItem
from mnist_localization.reporting.html.box_layers import BoxSet
from mnist_localization.reporting.html.formatting import box_in_pixels, coordinate, sentence
from mnist_localization.reporting.html.svg import element

REASONS = {
    "worst": "Worst IoU",
    "mistake": "Confident mistake",
    "random": "Random sample",
}


def png_data_uri(image: npt.NDArray[np.uint8]) -> str:
    """An image, uint8 `[height, width, 1 or 3]`, as a PNG in a data URI."""
    pixels = image[..., 0] if image.shape[2] == 1 else image
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def overlay(item: GalleryItem, sets: Sequence[BoxSet]) -> Markup:
    """The boxes of an item, drawn over its image, set by set.

    The coordinates are pixels of the image file: a box for x = 0.53 of a width of 100 starts at
    53, the left edge of the pixel column 53. Each box has a dark outline below, so that it
    shows on light and on dark images.
    """
    height, width = item.record.size
    boxes = [
        (box_set.key, _outline(box, height, width))
        for box_set in sets
        for box in item.record.box_layers.get(box_set.name, ())
    ]
    # All outlines lie below all lines: where two boxes agree, both lines show.
    drawn = [
        element("path", d=path, class_=f"box-{key} {layer}")
        for layer in ("halo", "line")
        for key, path in boxes
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


def tile(item: GalleryItem, class_names: Sequence[str], sets: Sequence[BoxSet]) -> dict[str, Any]:
    """What the page shows of an item.

    Args:
        item: One image of the gallery.
        class_names: Name of each class, in the order of the labels.
        sets: The sets of boxes that the page draws.

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
        "reasons": list(item.reasons),
        "reason_text": sentence(REASONS[reason] for reason in item.reasons),
        "boxes": [
            (box_set.title, _in_words(box_set.name, item.record, class_names))
            for box_set in sets
            if box_set.name in item.record.box_layers
        ],
        "width": width,
        "height": height,
        "src": png_data_uri(item.record.image),
        "overlay": overlay(item, sets),
    }


def _outline(box: Box, height: int, width: int) -> str:
    left, top, right, bottom = map(coordinate, _corners(box, height, width))
    # A path, because a rectangle without area would not be drawn at all.
    return f"M{left} {top}H{right}V{bottom}H{left}Z"


def _in_words(name: str, record: AnnotatedImage, class_names: Sequence[str]) -> str:
    """Where the boxes of a set are, with their classes where nothing else says these."""
    boxes = record.box_layers[name]
    said = [box_in_pixels(_corners(box, *record.size)) for box in boxes]
    if len(boxes) > 1 or name not in (GROUND_TRUTH, PREDICTIONS):
        labels = [class_names[box.class_id] for box in boxes]
        said = [f"{label}: {place}" for label, place in zip(labels, said, strict=True)]
    return "; ".join(said) or "none"


def _corners(box: Box, height: int, width: int) -> tuple[float, float, float, float]:
    xmin, ymin, xmax, ymax = (float(x) for x in pixel_corners(box.corners, height, width)[0])
    return xmin, ymin, xmax, ymax
