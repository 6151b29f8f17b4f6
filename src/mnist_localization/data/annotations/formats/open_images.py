"""Open Images: one CSV, names of images without suffix, relative corners."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

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
)
from mnist_localization.data.annotations.formats._table import has_columns, read_table

_BOX_FORMAT = "rel_xyxy"
_BOX = ("XMin", "YMin", "XMax", "YMax")
_REQUIRED = ("ImageID", "LabelName", *_BOX)
_FLAGS = ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")


def matches(path: Path) -> bool:
    """Return whether a file has the columns of Open Images."""
    return has_columns(path, ",", _REQUIRED)


def read_rows(path: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the boxes of an Open Images CSV; groups of objects are no objects.

    Raises:
        AnnotationError: The file is not a CSV with the columns of Open Images.
    """
    for found in read_table(path, ",", _REQUIRED):
        if isinstance(found, BadRow):
            yield found
            continue
        line, row = found
        if row.get("IsGroupOf") == "1":
            yield Decision("crowd ignored", row["ImageID"])
        else:
            box = [row[name] for name in _BOX]
            yield RawRow(path.name, line, row["ImageID"], row["LabelName"], box)


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return the predicted boxes as one CSV, by its file name."""
    left, top, right, bottom = predicted_boxes(predictions, _BOX_FORMAT, image).T
    table = pd.DataFrame(
        {
            "ImageID": [str(PurePosixPath(file).with_suffix("")) for file in predictions["file"]],
            "Source": "model",
            "LabelName": [class_names[label] for label in predictions["predicted_label"]],
            "Confidence": predictions["confidence"].to_numpy(),
            **{"XMin": left, "XMax": right, "YMin": top, "YMax": bottom},
            **dict.fromkeys(_FLAGS, 0),
        }
    )
    return {"open_images.csv": table.to_csv(index=False, float_format="%.8f", lineterminator="\n")}


FORMAT = AnnotationFormat(
    box_format=_BOX_FORMAT, read=read_rows, write=write_predictions, matches=matches
)
