"""Rectangles: one JSON document, centers and sizes in pixels."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    BadRow,
    RawRow,
    ReadContext,
    predicted_boxes,
)
from mnist_localization.errors import AnnotationError

_BOX_FORMAT = "center_xywh"
_NUMBERS = ("x", "y", "width", "height")


def read_rows(path: Path, context: ReadContext) -> Iterator[RawRow | BadRow]:
    """Yield the objects of a rectangles document; `line` counts the images from 1.

    Args:
        path: The JSON file.
        context: Not used.

    Raises:
        AnnotationError: The file is not rectangles JSON.
    """
    try:
        images = json.loads(path.read_text("utf-8"))
        for number, image in enumerate(images, start=1):
            for item in image["annotations"]:
                box = [item["coordinates"][name] for name in _NUMBERS]
                yield RawRow(path.name, number, image["image"], item["label"], box)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnnotationError(f"{path}: not rectangles JSON ({error!r}); correct it") from error


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return the predicted boxes as one rectangles document, by its file name."""
    boxes = predicted_boxes(predictions, _BOX_FORMAT, image).tolist()
    rows = zip(predictions["file"], predictions["predicted_label"], boxes, strict=True)
    document = [
        {
            "image": file,
            "annotations": [
                {
                    "label": class_names[label],
                    "coordinates": dict(zip(_NUMBERS, box, strict=True)),
                }
            ],
        }
        for file, label, box in rows
    ]
    return {"annotations.json": json.dumps(document, indent=1)}


FORMAT = AnnotationFormat(box_format=_BOX_FORMAT, read=read_rows, write=write_predictions)
