"""Annotations as CSV, with any names of the columns."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from mnist_localization.annotations.table import COLUMNS, BadRow, RawRow
from mnist_localization.config import CsvSettings
from mnist_localization.errors import AnnotationError


def csv_rows(path: Path, settings: CsvSettings) -> Iterator[RawRow | BadRow]:
    """Rows of a CSV.

    Where the configuration names the columns, there must be a header with them, and other
    columns do not matter. Otherwise the columns are `file, label, xmin, ymin, xmax, ymax`: in
    this order, or as a header says.

    Raises:
        AnnotationError: The file is no CSV in UTF-8, or its header lacks a named column.
    """
    wanted = settings.columns or COLUMNS
    order: list[int] = list(range(len(COLUMNS)))
    width = len(COLUMNS)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=settings.delimiter, strict=True)
            for number, row in enumerate(reader):
                if number == 0 and (settings.columns or _is_header(row)):
                    names = [cell.strip() for cell in row]
                    if settings.columns:
                        order, width = _order(path, names, wanted), len(names)
                    elif sorted(name.lower() for name in names) == sorted(COLUMNS):
                        order = _order(path, [name.lower() for name in names], wanted)
                elif row and len(row) != width:
                    expected = ",".join(wanted) if width == len(wanted) else "as the header"
                    yield BadRow(
                        path.name,
                        reader.line_num,
                        f"{len(row)} columns, expected {width}: {expected}",
                    )
                elif row:
                    cells = [row[index].strip() for index in order]
                    yield RawRow(path.name, reader.line_num, cells[0], cells[1], cells[2:])
    except (UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"{path}: this is no CSV in UTF-8 ({error}); correct it") from error
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror})") from error


def _order(path: Path, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    if missing := [name for name in wanted if name not in names]:
        raise AnnotationError(
            f"{path}: the header has no column {missing[0]!r}, it has {', '.join(names)}; correct "
            "dataset.annotations.csv (columns, delimiter)"
        )
    return [names.index(name) for name in wanted]


def _is_header(row: Sequence[str]) -> bool:
    """A first row none of whose box cells is a number names the columns."""
    return len(row) == len(COLUMNS) and not any(_is_number(cell) for cell in row[2:])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
