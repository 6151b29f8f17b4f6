"""VGG Image Annotator (VIA), CSV: one row per region, with JSON in its cells, boxes in pixels."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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
from mnist_localization.data.annotations.formats._json import as_dict
from mnist_localization.data.annotations.formats._table import has_columns, read_table
from mnist_localization.data.annotations.formats._via import BOX_FORMAT, SIDES, read_region

_COLUMNS = (
    *("filename", "file_size", "file_attributes", "region_count", "region_id"),
    *("region_shape_attributes", "region_attributes"),
)
_REQUIRED = ("filename", "region_shape_attributes", "region_attributes")
_DIGITS = 4


def matches(path: Path) -> bool:
    """Return whether a file has the columns of VIA."""
    return has_columns(path, ",", _REQUIRED)


def read_rows(path: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the regions of a VIA CSV.

    Raises:
        AnnotationError: The file is not a CSV with the columns of VIA.
    """
    for found in read_table(path, ",", _REQUIRED):
        if isinstance(found, BadRow):
            yield found
            continue
        line, row = found
        file = row["filename"]
        try:
            shape = _parse(row["region_shape_attributes"])
            attributes = _parse(row["region_attributes"])
        except (ValueError, RecursionError) as error:
            yield BadRow(path.name, line, f"the region is not valid JSON ({error})", file=file)
            continue
        if shape:
            yield from read_region(path.name, line, file, shape, attributes)
        else:
            yield RawRow(path.name, line, file, "", ())


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return the predicted boxes as a CSV that VIA imports, by its file name."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    boxes = predicted_boxes(predictions, BOX_FORMAT, image).round(_DIGITS).tolist()
    for file, label, box in zip(
        predictions["file"], predictions["predicted_label"], boxes, strict=True
    ):
        shape = {"name": "rect", **dict(zip(SIDES, box, strict=True))}
        attributes = {"label": class_names[label]}
        writer.writerow([file, -1, "{}", 1, 0, json.dumps(shape), json.dumps(attributes)])
    return {"via.csv": text.getvalue()}


def _parse(text: str) -> dict[str, Any]:
    return as_dict(json.loads(text)) if text else {}


FORMAT = AnnotationFormat(
    box_format=BOX_FORMAT, read=read_rows, write=write_predictions, matches=matches
)
