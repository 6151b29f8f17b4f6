"""CSV with one row per image and configurable column names."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
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
from mnist_localization.data.boxes import ANNOTATION_COLUMNS, BOX_COLUMNS
from mnist_localization.data.images.decode import has_image_suffix
from mnist_localization.errors import AnnotationError


def read_rows(path: Path, context: ReadContext) -> Iterator[RawRow | BadRow]:
    """Yield the rows of a CSV; blank lines are skipped.

    If `dataset.annotations.csv.columns` names the columns, the file must have a header with them;
    other columns are ignored. Otherwise the columns are `file, label, xmin, ymin, xmax, ymax`, in
    this order or in the order of a header with these names.

    Raises:
        AnnotationError: The file is not a UTF-8 CSV, or its header lacks a named column.
    """
    settings = context.settings.csv
    rows = _rows(path, settings.delimiter)
    first = next(rows, None)
    if first is None:
        return
    header = _header(path, first[1], settings.columns)
    names = header or ANNOTATION_COLUMNS
    order = [names.index(name) for name in settings.columns or ANNOTATION_COLUMNS]
    for line, cells in rows if header else chain([first], rows):
        if len(cells) == len(names):
            file, label, *box = (cells[index] for index in order)
            yield RawRow(path.name, line, file, label, box)
        else:
            reason = f"{len(cells)} columns, expected {len(names)}: {','.join(names)}"
            yield BadRow(path.name, line, reason)


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return the predicted boxes as one CSV that the default settings read.

    Args:
        predictions: The table `predictions`.
        class_names: Name of each class, in the order of the labels.
        image: Shape of the images; not used.

    Returns:
        `predictions.csv` with a header and relative corners, by its name.
    """
    corners = predicted_boxes(predictions, "rel_xyxy", image)
    table = pd.DataFrame(corners, columns=list(BOX_COLUMNS))
    table["file"] = predictions["file"].to_numpy()
    table["label"] = [class_names[label] for label in predictions["predicted_label"]]
    text = table[list(ANNOTATION_COLUMNS)].to_csv(
        index=False, float_format="%.8f", lineterminator="\n"
    )
    return {"predictions.csv": text}


def _rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each row that is not blank."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for row in reader:
                cells = [cell.strip() for cell in row]
                if cells not in ([], [""]):
                    yield reader.line_num, cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"{path}: not a valid UTF-8 CSV ({error}); correct it") from error
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror})") from error


def _header(path: Path, first: Sequence[str], columns: Sequence[str]) -> Sequence[str]:
    """Return the names in the first row, or nothing if the file has no header."""
    if columns:
        if missing := [name for name in columns if name not in first]:
            raise AnnotationError(
                f"{path}: the header has no column {missing[0]!r}, it has {', '.join(first)}; "
                "correct dataset.annotations.csv (columns, delimiter)"
            )
        return first
    names = [name.lower() for name in first]
    if sorted(names) == sorted(ANNOTATION_COLUMNS):
        return names
    if _is_header_with_other_names(first):
        raise AnnotationError(
            f"{path}: the first row, {','.join(first)}, is neither an annotated image nor a "
            f"header with the expected names, {','.join(ANNOTATION_COLUMNS)}; name the columns, "
            "in that order, in dataset.annotations.csv.columns"
        )
    return ()


def _is_header_with_other_names(row: Sequence[str]) -> bool:
    """Return whether a row is six words and no image, so that its order is not known."""
    return (
        len(row) == len(ANNOTATION_COLUMNS)
        and not has_image_suffix(row[0])
        and all(cell and not _is_number(cell) for cell in row)
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


FORMAT = AnnotationFormat(box_format=None, read=read_rows, write=write_predictions)
