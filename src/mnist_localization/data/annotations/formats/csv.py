"""CSV with one row per image and configurable column names."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mnist_localization.config.data import CsvSettings, ImageSettings
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    BadRow,
    RawRow,
    ReadContext,
    predicted_boxes,
)
from mnist_localization.data.boxes import ANNOTATION_COLUMNS
from mnist_localization.data.images.decode import has_image_suffix
from mnist_localization.errors import AnnotationError


@dataclass(frozen=True)
class _Layout:
    """Position of the cells in a row.

    Attributes:
        order: Index of file, label and the four numbers of the box.
        width: Number of cells.
        expected: Description of the columns for messages.
        has_header: Whether the first row names the columns.
    """

    order: Sequence[int] = tuple(range(len(ANNOTATION_COLUMNS)))
    width: int = len(ANNOTATION_COLUMNS)
    expected: str = ",".join(ANNOTATION_COLUMNS)
    has_header: bool = False


def read_rows(path: Path, context: ReadContext) -> Iterator[RawRow | BadRow]:
    """Yield the rows of a CSV; blank lines are skipped.

    If `dataset.annotations.csv.columns` names the columns, the file must have a header with them;
    other columns are ignored. Otherwise the columns are `file, label, xmin, ymin, xmax, ymax`, in
    this order or in the order of a header with these names.

    Raises:
        AnnotationError: The file is not a UTF-8 CSV, or its header lacks a named column.
    """
    settings = context.settings.csv
    layout: _Layout | None = None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=settings.delimiter, strict=True)
            for row in reader:
                cells = [cell.strip() for cell in row]
                if cells in ([], [""]):
                    continue
                if layout is None:
                    layout = _layout(path, cells, settings)
                    if layout.has_header:
                        continue
                yield _parsed(path.name, reader.line_num, cells, layout)
    except (UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"{path}: not a valid UTF-8 CSV ({error}); correct it") from error
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror})") from error


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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(ANNOTATION_COLUMNS)
    boxes = predicted_boxes(predictions, "rel_xyxy", image).tolist()
    labels = predictions["predicted_label"].tolist()
    for file, label, box in zip(predictions["file"], labels, boxes, strict=True):
        writer.writerow([file, class_names[label], *(f"{corner:.8f}" for corner in box)])
    return {"predictions.csv": text.getvalue()}


def _layout(path: Path, first: Sequence[str], settings: CsvSettings) -> _Layout:
    """Return the layout that the first row that is not blank implies."""
    if settings.columns:
        order = _order(path, first, settings.columns)
        return _Layout(order, len(first), "as the header", has_header=True)
    names = [name.lower() for name in first]
    if sorted(names) == sorted(ANNOTATION_COLUMNS):
        return _Layout(_order(path, names, ANNOTATION_COLUMNS), has_header=True)
    if _is_header_with_other_names(first):
        raise AnnotationError(
            f"{path}: the first row, {','.join(first)}, is neither an annotated image nor a "
            f"header with the expected names, {','.join(ANNOTATION_COLUMNS)}; name the columns, "
            "in that order, in dataset.annotations.csv.columns"
        )
    return _Layout()


def _order(path: Path, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    if missing := [name for name in wanted if name not in names]:
        raise AnnotationError(
            f"{path}: the header has no column {missing[0]!r}, it has {', '.join(names)}; correct "
            "dataset.annotations.csv (columns, delimiter)"
        )
    return [names.index(name) for name in wanted]


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


def _parsed(source: str, line: int, cells: Sequence[str], layout: _Layout) -> RawRow | BadRow:
    if len(cells) != layout.width:
        reason = f"{len(cells)} columns, expected {layout.width}: {layout.expected}"
        return BadRow(source, line, reason)
    file, label, *box = (cells[index] for index in layout.order)
    return RawRow(source, line, file, label, box)


FORMAT = AnnotationFormat(box_format=None, read=read_rows, write=write_predictions)
