"""Reading of CSV files with fixed column names."""

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

from mnist_localization.data.annotations.formats import BadRow
from mnist_localization.errors import AnnotationError, UnreadableError


def read_table(
    path: Path, delimiter: str, required: Collection[str]
) -> Iterator[tuple[int, dict[str, str]] | BadRow]:
    """Yield line number and cells by column name of each row that is not blank.

    Raises:
        AnnotationError: The file is not a UTF-8 CSV, or lacks a required column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            if missing := [name for name in required if name not in header]:
                raise AnnotationError(
                    f"{path}: the header has no column {missing[0]!r}, it has "
                    f"{', '.join(header)}; correct dataset.annotations.format"
                )
            for row in reader:
                if len(row) == len(header):
                    cells = (cell.strip() for cell in row)
                    yield reader.line_num, dict(zip(header, cells, strict=True))
                elif any(row):
                    reason = f"{len(row)} columns, expected {len(header)}"
                    yield BadRow(path.name, reader.line_num, reason)
    except (UnicodeError, csv.Error) as error:
        raise AnnotationError(f"{path}: not a valid UTF-8 CSV ({error}); correct it") from error
    except OSError as error:
        raise UnreadableError(path, error) from error


def has_columns(path: Path, delimiter: str, required: Collection[str]) -> bool:
    """Return whether a file is a CSV whose header has the columns."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    try:
        return next(read_table(path, delimiter, required), None) is not None
    except UnreadableError:
        raise
    except AnnotationError:
        return False
