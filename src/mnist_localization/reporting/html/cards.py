"""Tiles of the gallery: each image as a data URI with its boxes as an SVG overlay."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage, Box
from mnist_localization.data.boxes import pixel_corners
from mnist_localization.reporting.charts._drawing import element
from mnist_localization.reporting.gallery import GalleryItem
from mnist_localization.reporting.html.formatting import box_in_pixels, coordinate, sentence, words

REASONS = {"worst": "Worst IoU", "mistake": "Confident mistake", "random": "Random sample"}
# Key, title and line of the layers that the stylesheet knows.
_STYLED = {
    GROUND_TRUTH: ("true", "True box", "solid"),
    PREDICTIONS: ("pred", "Predicted box", "dashed"),
}
# Lengths of lines and gaps of further layers in pixels of a tile, and their names.
_DASHES = (
    ("1.5 2.5", "2.7 4.5", "dotted"),
    ("8 2.5 1.5 2.5", "14.4 4.5 2.7 4.5", "dash and dot"),
    ("11 3", "19.8 5.4", "long dashes"),
    ("6 2 1.5 2 1.5 2", "10.8 3.6 2.7 3.6 2.7 3.6", "dash and two dots"),
)
# Multiples of the golden angle never repeat a hue.
_FIRST_HUE, _GOLDEN_ANGLE = 320.0, 137.5


@dataclass(frozen=True)
class BoxLayer:
    """A layer of boxes that the page can show and hide.

    Attributes:
        name: Name of the layer in `AnnotatedImage.box_layers`.
        key: Name in classes and identifiers of the page; never text of a dataset.
        title: Name for readers.
        line: Description of the line style.
    """

    name: str
    key: str
    title: str
    line: str


def box_layers(images: Sequence[AnnotatedImage]) -> list[BoxLayer]:
    """Return the layers of the images: ground truth, predictions, then all others."""
    # A dictionary keeps the order of first occurrence.
    names = {name: None for image in images for name in image.box_layers}
    styled = [BoxLayer(name, *style) for name, style in _STYLED.items() if name in names]
    others = [name for name in names if name not in _STYLED]
    return styled + [
        BoxLayer(name, f"layer-{number}", words(name), _DASHES[number % len(_DASHES)][-1])
        for number, name in enumerate(others)
    ]


def layer_styles(layers: Sequence[BoxLayer]) -> str:
    """Return CSS rules for the layers that the stylesheet does not know."""
    others = [layer.key for layer in layers if layer.name not in _STYLED]
    rules = []
    for number, key in enumerate(others):
        hue = (_FIRST_HUE + number * _GOLDEN_ANGLE) % 360
        small, large, _ = _DASHES[number % len(_DASHES)]
        rules += [
            f".box-{key}.line, .swatch-{key} "
            f"{{ stroke: hsl({hue:g} 85% 68%); stroke-dasharray: {small}; }}\n",
            f".viewer-body .box-{key}.line {{ stroke-dasharray: {large}; }}\n",
            f".hide-{key} .box-{key} {{ display: none; }}\n",
        ]
    return "".join(rules)


@dataclass(frozen=True)
class Tile:
    """Content of one tile.

    Attributes:
        data: Texts and numbers, as a JSON document that the script gets too.
        src: The image as a data URI.
        overlay: The boxes as SVG.
    """

    data: dict[str, Any]
    src: str
    overlay: Markup


def make_tile(item: GalleryItem, class_names: Sequence[str], layers: Sequence[BoxLayer]) -> Tile:
    """Return the tile of an image of the gallery.

    Args:
        item: Image of the gallery.
        class_names: Name of each class, in the order of the labels.
        layers: Layers that the page shows.
    """
    image = item.annotated
    height, width = image.size
    data = {
        "file": image.file,
        "row": item.row,
        "label": item.label,
        "true": class_names[item.label],
        "predicted": class_names[item.predicted_label],
        "mistake": item.label != item.predicted_label,
        "confidence": item.confidence,
        "iou": item.iou,
        "reasons": list(item.reasons),
        "reason_text": sentence(REASONS[reason] for reason in item.reasons),
        "boxes": [
            (layer.title, _in_words(layer.name, image, class_names))
            for layer in layers
            if layer.name in image.box_layers
        ],
        "width": width,
        "height": height,
    }
    return Tile(data, _png_data_uri(image.image), overlay(image, layers))


def overlay(image: AnnotatedImage, layers: Sequence[BoxLayer]) -> Markup:
    """Return the boxes of an image as SVG in pixels of the image file.

    A box with xmin = 0.53 of a width of 100 starts at 53, the left edge of pixel column 53. Each
    box has a dark outline below its line, so that it is visible on light and dark images.
    """
    height, width = image.size
    boxes = [
        (layer.key, _outline(box, height, width))
        for layer in layers
        for box in image.box_layers.get(layer.name, ())
    ]
    # All outlines are below all lines, so that both lines are visible if two boxes coincide.
    paths = [
        element("path", d=path, class_=f"box-{key} {kind}")
        for kind in ("halo", "line")
        for key, path in boxes
    ]
    return element(
        "svg",
        *paths,
        class_="overlay",
        viewBox=f"0 0 {width} {height}",
        # The sides of an image that is smaller than its file may be rounded; the boxes follow.
        preserveAspectRatio="none",
        aria_hidden="true",
        focusable="false",
    )


def _png_data_uri(image: npt.NDArray[np.uint8]) -> str:
    pixels = image[..., 0] if image.shape[2] == 1 else image
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _outline(box: Box, height: int, width: int) -> str:
    left, top, right, bottom = map(coordinate, pixel_corners(box.corners, height, width)[0])
    # A path, because browsers do not draw a rectangle without area.
    return f"M{left} {top}H{right}V{bottom}H{left}Z"


def _in_words(name: str, image: AnnotatedImage, class_names: Sequence[str]) -> str:
    """Return the boxes of a layer as text, with their classes if the tile does not show them."""
    boxes = image.box_layers[name]
    texts = [box_in_pixels(pixel_corners(box.corners, *image.size)[0]) for box in boxes]
    if len(boxes) > 1 or name not in _STYLED:
        labels = [class_names[box.class_id] for box in boxes]
        texts = [f"{label}: {place}" for label, place in zip(labels, texts, strict=True)]
    return "; ".join(texts) or "none"
