"""CreateML: one JSON document, centers and sizes in pixels."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    BadRow,
    Found,
    RawRow,
    ReadContext,
    predicted_boxes,
)
from mnist_localization.data.annotations.formats._json import (
    as_dict,
    as_list,
    as_text,
    read_json,
    try_json,
)
from mnist_localization.errors import AnnotationError

_BOX_FORMAT = "center_xywh"
_NUMBERS = ("x", "y", "width", "height")
_DIGITS = 4


def matches(path: Path) -> bool:
    """Return whether a file is a list of images with annotations."""
    first = as_dict(next(iter(as_list(try_json(path))), None))
    return bool(_file_of(first)) and any(key in first for key in ("annotations", "annotation"))


def read_rows(path: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the objects of a CreateML document; `line` counts the images from 1.

    Raises:
        AnnotationError: The file is not a JSON list.
    """
    document = read_json(path)
    if not isinstance(document, list):
        raise AnnotationError(f"{path}: CreateML JSON must be a list of images; correct the format")
    for number, entry in enumerate(document, start=1):
        image = as_dict(entry)
        file = _file_of(image)
        items = image.get("annotations", image.get("annotation"))
        if not file or not isinstance(items, list):
            yield BadRow(path.name, number, "the image has no name or no annotations", file=file)
        elif not items:
            yield RawRow(path.name, number, file, "", ())
        for item in as_list(items) if file else ():
            coordinates = as_dict(as_dict(item).get("coordinates"))
            box = [coordinates.get(name, "") for name in _NUMBERS]
            yield RawRow(path.name, number, file, as_text(as_dict(item).get("label")), box)


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return the predicted boxes as one CreateML document, by its file name."""
    boxes = predicted_boxes(predictions, _BOX_FORMAT, image).round(_DIGITS).tolist()
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
    return {"annotations.json": json.dumps(document, indent=1, ensure_ascii=False)}


def _file_of(image: dict[str, object]) -> str:
    return as_text(image.get("image")) or as_text(image.get("imagefilename"))


FORMAT = AnnotationFormat(
    box_format=_BOX_FORMAT, read=read_rows, write=write_predictions, matches=matches
)
