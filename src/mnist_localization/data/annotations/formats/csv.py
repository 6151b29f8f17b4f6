"""Annotations as CSV, with any names of the columns."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mnist_localization.config import CsvSettings
from mnist_localization.data.annotations.table import COLUMNS, BadRow, RawRow
from mnist_localization.data.images import SUFFIXES
from mnist_localization.errors import AnnotationError


@dataclass(frozen=True)
class _Layout:
    """Where the cells of a row are.

    Attributes:
        order: Index of file, label and the four numbers of the box.
        width: Cells of a row.
        expected: The columns, in words.
        has_header: Whether the first row names the columns.
    """

    order: Sequence[int] = tuple(range(len(COLUMNS)))
    width: int = len(COLUMNS)
    expected: str = ",".join(COLUMNS)
    has_header: bool = False


def csv_rows(path: Path, settings: CsvSettings) -> Iterator[RawRow | BadRow]:
    """Rows of a CSV; blank lines do not count.

    Where the configuration names the columns, there must be a header with them, and other
    columns do not matter. Otherwise the columns are `file, label, xmin, ymin, xmax, ymax`: in
    this order, or as a header of these names says.

    Raises:
        AnnotationError: The file is no CSV in UTF-8, or its header lacks a named column.
    """
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
        raise AnnotationError(f"{path}: this is no CSV in UTF-8 ({error}); correct it") from error
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror})") from error


def _layout(path: Path, first: Sequence[str], settings: CsvSettings) -> _Layout:
    """What the first row that is not blank says of the columns."""
    if settings.columns:
        order = _order(path, first, settings.columns)
        return _Layout(order, len(first), "as the header", has_header=True)
    names = [name.lower() for name in first]
    if sorted(names) == sorted(COLUMNS):
        return _Layout(_order(path, names, COLUMNS), has_header=True)
    if _names_other_columns(first):
        raise AnnotationError(
            f"{path}: the first row, {','.join(first)}, is neither an image with its box nor a "
            f"header with the expected names, {','.join(COLUMNS)}; name the columns, in that "
            "order, in dataset.annotations.csv.columns"
        )
    return _Layout()


def _order(path: Path, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    if missing := [name for name in wanted if name not in names]:
        raise AnnotationError(
            f"{path}: the header has no column {missing[0]!r}, it has {', '.join(names)}; correct "
            "dataset.annotations.csv (columns, delimiter)"
        )
    return [names.index(name) for name in wanted]


def _names_other_columns(row: Sequence[str]) -> bool:
    """Six words, and no image: read by position, its columns would be silently mixed up."""
    return (
        len(row) == len(COLUMNS)
        and PurePosixPath(row[0]).suffix.lower() not in SUFFIXES
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
