"""Predictions in the formats of other tools; what is written can be read as annotations."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import pandas as pd

from mnist_localization.config import ImageSettings
from mnist_localization.data.annotations.conversion import from_relative_corners
from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    FloatArray,
    image_sizes,
)

# Ten-thousandths of a pixel: what is beyond is rounding.
_PIXEL_DIGITS = 4


def as_coco(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, Any]:
    """The predicted boxes as COCO JSON (https://cocodataset.org/#format-data).

    Args:
        predictions: One row an image, columns of the table `predictions`.
        class_names: Name of each class, in the order of the labels.
        image: Shape of the images, where the table does not hold their sizes.

    Returns:
        `images`, `categories` (ids from 1), and `annotations` with `bbox` (left, top, width,
        height in pixels) and `score`.
    """
    heights, widths = image_sizes(predictions, image.height, image.width)
    boxes = _predicted(predictions, "xywh", image).round(_PIXEL_DIGITS).tolist()
    rows = list(
        zip(
            *(predictions["file"], heights.tolist(), widths.tolist()),
            *(predictions["predicted_label"].tolist(), predictions["confidence"].tolist()),
            *(boxes,),
            strict=True,
        )
    )
    return {
        "images": [
            {"id": number, "file_name": file, "height": height, "width": width}
            for number, (file, height, width, *_) in enumerate(rows, start=1)
        ],
        "categories": [
            {"id": number, "name": name} for number, name in enumerate(class_names, start=1)
        ],
        "annotations": [
            {
                "id": number,
                "image_id": number,
                "category_id": label + 1,
                "bbox": box,
                "area": round(box[2] * box[3], _PIXEL_DIGITS),
                "iscrowd": 0,
                "score": score,
            }
            for number, (_, _, _, label, score, box) in enumerate(rows, start=1)
        ],
    }


def as_yolo(predictions: pd.DataFrame) -> dict[str, str]:
    """The predicted boxes as YOLO text, `class x y width height` with the center, relative.

    Args:
        predictions: One row an image, columns of the table `predictions`.

    Returns:
        Name of each file without its suffix, to its text.
    """
    corners = predictions[list(PREDICTED_BOX_COLUMNS)].to_numpy()
    boxes = from_relative_corners(corners, "rel_center_xywh", 1, 1)
    labels = predictions["predicted_label"].tolist()
    lines = (
        " ".join([str(label), *(f"{value:.8f}" for value in box)]) + "\n"
        for label, box in zip(labels, boxes.tolist(), strict=True)
    )
    return dict(zip(_names(predictions["file"].tolist()), lines, strict=True))


def as_voc(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """The predicted boxes as Pascal VOC XML, corners in pixels.

    Args:
        predictions: One row an image, columns of the table `predictions`.
        class_names: Name of each class, in the order of the labels.
        image: Shape of the images, where the table does not hold their sizes.

    Returns:
        Name of each file without its suffix, to its text.
    """
    heights, widths = image_sizes(predictions, image.height, image.width)
    boxes = _predicted(predictions, "xyxy", image).round(_PIXEL_DIGITS).tolist()
    texts = (
        _voc_text(file, (width, height, image.channels), class_names[label], box)
        for file, width, height, label, box in zip(
            predictions["file"],
            widths.tolist(),
            heights.tolist(),
            predictions["predicted_label"].tolist(),
            boxes,
            strict=True,
        )
    )
    return dict(zip(_names(predictions["file"].tolist()), texts, strict=True))


def _predicted(predictions: pd.DataFrame, box_format: str, image: ImageSettings) -> FloatArray:
    corners = predictions[list(PREDICTED_BOX_COLUMNS)].to_numpy()
    sizes = image_sizes(predictions, image.height, image.width)
    return from_relative_corners(corners, box_format, *sizes)


def _names(files: Sequence[str]) -> Iterator[str]:
    """Names without suffix; with it where two images differ in nothing else."""
    stems = [str(PurePosixPath(file).with_suffix("")) for file in files]
    counts = Counter(stems)
    for file, stem in zip(files, stems, strict=True):
        yield stem if counts[stem] == 1 else file


def _voc_text(file: str, size: tuple[int, int, int], label: str, box: Sequence[float]) -> str:
    root = Element("annotation")
    SubElement(root, "filename").text = file
    dimensions = SubElement(root, "size")
    for name, value in zip(("width", "height", "depth"), size, strict=True):
        SubElement(dimensions, name).text = str(value)
    found = SubElement(root, "object")
    SubElement(found, "name").text = label
    corners = SubElement(found, "bndbox")
    for name, corner in zip(BOX_COLUMNS, box, strict=True):
        SubElement(corners, name).text = f"{corner:g}" if corner.is_integer() else str(corner)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"
