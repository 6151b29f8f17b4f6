"""German Traffic Sign Recognition Benchmark: CSV with semicolons, corners in pixels."""

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
    annotation_files,
    predicted_boxes,
    stated_size,
)
from mnist_localization.data.annotations.formats._table import has_columns, read_table
from mnist_localization.data.boxes import image_sizes
from mnist_localization.errors import AnnotationError

_BOX_FORMAT = "xyxy"
_BOX = ("Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2")
_REQUIRED = ("Filename", "Width", "Height", *_BOX, "ClassId")


def matches(path: Path) -> bool:
    """Return whether a file, or each CSV in a folder, has the columns of the benchmark."""
    files = annotation_files(path, ".csv") if path.is_dir() else [path]
    return bool(files) and all(has_columns(file, ";", _REQUIRED) for file in files)


def read_rows(path: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the rows of a CSV, or of one CSV in the folder of each class.

    Raises:
        AnnotationError: A file is not a CSV with the columns of the benchmark.
    """
    files = annotation_files(path, ".csv") if path.is_dir() else [path]
    if not files:
        raise AnnotationError(f"{path}: holds no .csv file")
    for file in files:
        folder = file.relative_to(path).parent.as_posix() if path.is_dir() else "."
        prefix = "" if folder == "." else f"{folder}/"
        for found in read_table(file, ";", _REQUIRED):
            if isinstance(found, BadRow):
                yield found
                continue
            line, row = found
            name, other = f"{prefix}{row['Filename']}", row["Filename"] if prefix else ""
            box, size = [row[each] for each in _BOX], stated_size(row["Width"], row["Height"])
            exists = name in context.images or not other
            yield RawRow(file.name, line, name if exists else other, row["ClassId"], box, size)


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return the predicted boxes as one CSV with whole pixels, by its file name."""
    heights, widths = image_sizes(predictions, image.height, image.width)
    corners = predicted_boxes(predictions, _BOX_FORMAT, image).round().astype(int)
    table = pd.DataFrame({"Filename": predictions["file"], "Width": widths, "Height": heights})
    table[list(_BOX)] = corners
    table["ClassId"] = predictions["predicted_label"].to_numpy()
    return {"gtsrb.csv": table.to_csv(index=False, sep=";", lineterminator="\n")}


FORMAT = AnnotationFormat(
    box_format=_BOX_FORMAT,
    read=read_rows,
    write=write_predictions,
    matches=matches,
    has_numbers=True,
)
