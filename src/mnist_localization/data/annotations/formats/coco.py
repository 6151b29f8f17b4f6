"""COCO: one JSON document, boxes in pixels (https://cocodataset.org/#format-data)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    BadRow,
    Decision,
    Found,
    RawRow,
    ReadContext,
    predicted_boxes,
    stated_size,
)
from mnist_localization.data.annotations.formats._json import as_dict, read_json, try_json
from mnist_localization.data.boxes import image_sizes
from mnist_localization.errors import AnnotationError

_BOX_FORMAT = "xywh"
# Ten-thousandths of a pixel; the rest is rounding.
_DIGITS = 4


def matches(path: Path) -> bool:
    """Return whether a file has lists of images and annotations."""
    document = as_dict(try_json(path))
    return all(isinstance(document.get(key), list) for key in ("images", "annotations"))


def read_rows(path: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the objects of a COCO file; `line` counts its annotations from 1.

    Crowds are no objects. An image without annotations is one without an object.

    The label is the name of the category, or its id if the file has no categories.

    Args:
        path: The JSON file.
        context: Not used.

    Raises:
        AnnotationError: The file is not COCO JSON.
    """
    document = _read_document(path)
    images = {image.get("id"): image for image in document["images"]}
    empty = dict(images)
    names = {category.get("id"): category.get("name") for category in document["categories"]}
    for number, annotation in enumerate(document["annotations"], start=1):
        image = images.get(annotation.get("image_id"), {})
        empty.pop(annotation.get("image_id"), None)
        file = image.get("file_name")
        box, category = annotation.get("bbox"), annotation.get("category_id")
        label = names.get(category) if names else category
        if annotation.get("iscrowd") in (1, True):
            yield Decision("crowd ignored", str(file))
        elif not isinstance(file, str):
            yield BadRow(path.name, number, f"no image has the id {annotation.get('image_id')!r}")
        elif not isinstance(box, list):
            yield BadRow(path.name, number, "the annotation has no bbox", "invalid box", file)
        elif label in (None, ""):
            # The id cannot replace the name, because ids may start anywhere.
            reason = f"no category with a name has the id {category!r}"
            yield BadRow(path.name, number, reason, "unknown label", file)
        else:
            size = stated_size(image.get("width"), image.get("height"))
            yield RawRow(path.name, number, file, str(label), box, size)
    for number, image in enumerate(empty.values(), start=1):
        if isinstance(file := image.get("file_name"), str):
            yield RawRow(path.name, number, file, "", ())


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, list[dict[str, Any]]]:
    """Return the predicted boxes as a COCO document.

    Args:
        predictions: The table `predictions`.
        class_names: Name of each class, in the order of the labels.
        image: Shape of the images, if the table does not have their sizes.

    Returns:
        `images`, `categories` (ids from 1), and `annotations` with `bbox` (left, top, width,
        height in pixels) and `score`.
    """
    sizes = zip(*image_sizes(predictions, image.height, image.width), strict=True)
    boxes = predicted_boxes(predictions, _BOX_FORMAT, image).round(_DIGITS).tolist()
    labels, scores = predictions["predicted_label"], predictions["confidence"]
    return {
        "images": [
            {"id": number, "file_name": file, "height": int(height), "width": int(width)}
            for number, (file, (height, width)) in enumerate(
                zip(predictions["file"], sizes, strict=True), start=1
            )
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
                "area": round(box[2] * box[3], _DIGITS),
                "iscrowd": 0,
                "score": score,
            }
            for number, (label, box, score) in enumerate(
                zip(labels.tolist(), boxes, scores.tolist(), strict=True), start=1
            )
        ],
    }


def _read_document(path: Path) -> dict[str, list[dict[str, Any]]]:
    document = read_json(path)
    if not isinstance(document, dict):
        raise AnnotationError(
            f"{path}: COCO JSON must be an object, but this is a {type(document).__name__}"
        )
    found = {}
    for key in ("images", "annotations", "categories"):
        entries = document.get(key, [] if key == "categories" else None)
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise AnnotationError(f"{path}: COCO JSON needs {key!r}, a list of objects")
        found[key] = entries
    for entry in (*found["images"], *found["annotations"], *found["categories"]):
        for key in ("id", "image_id", "category_id"):
            if not isinstance(entry.get(key), int | str | None):
                raise AnnotationError(
                    f"{path}: {key} {entry[key]!r} is neither a whole number nor text"
                )
    return found


FORMAT = AnnotationFormat(
    box_format=_BOX_FORMAT, read=read_rows, write=write_predictions, matches=matches
)
