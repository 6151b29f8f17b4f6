"""Annotations: a CSV that is not trusted becomes a checked table."""

import csv
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from mnist_localization.boxes import BOX_COLUMNS
from mnist_localization.errors import AnnotationError

COLUMNS = ("file", "label", *BOX_COLUMNS)


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        csv: Name of the CSV file.
        line: Its line number, from 1.
        reason: What is wrong with it.
    """

    csv: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.csv}, line {self.line}: {self.reason}"


@dataclass(frozen=True)
class Annotations:
    """The rows of one CSV, sorted into good and bad.

    Attributes:
        table: Good rows, columns `file, label, xmin, ymin, xmax, ymax`; boxes relative.
        bad_rows: The others.
        unannotated_images: Number of images that no good row names.
    """

    table: pd.DataFrame
    bad_rows: tuple[BadRow, ...]
    unannotated_images: int


def read_annotations(path: Path, images: Path, class_names: Sequence[str]) -> Annotations:
    """Read and check one CSV: `file,label,xmin,ymin,xmax,ymax`, with or without a header.

    Args:
        path: The CSV; UTF-8 with or without a byte order mark, lines ending in LF or CRLF.
        images: Folder that holds the images it names.
        class_names: Name of each class, in the order of the labels. A label is a class' name
            or, where no class has that name, its number.

    Raises:
        AnnotationError: The file is missing or is no CSV in UTF-8.
    """
    check = _RowCheck(frozenset(_files_below(images)), class_names)
    good: list[tuple[Any, ...]] = []
    bad: list[BadRow] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, row in _data_rows(csv.reader(file, strict=True)):
                try:
                    good.append(check(row))
                except _BadRowError as error:
                    bad.append(BadRow(path.name, line, str(error)))
    except FileNotFoundError as error:
        raise AnnotationError(f"{path}: missing; run `kedro run --pipeline=fetch`") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"{path}: this is no CSV in UTF-8 ({error}); correct it") from error
    table = pd.DataFrame(good, columns=list(COLUMNS))
    return Annotations(table, tuple(bad), len(check.images) - len(good))


def require_good(
    annotations: Mapping[str, Annotations], *, drop_bad_rows: bool, listed: int
) -> None:
    """Stop at bad rows, unless they are to be set aside; an empty split always stops.

    Args:
        annotations: Name of the split to its annotations.
        drop_bad_rows: Whether bad rows are set aside.
        listed: How many the message lists at most.

    Raises:
        AnnotationError: Lists the bad rows with file, line and reason.
    """
    bad = [row for split in annotations.values() for row in split.bad_rows]
    listing = "\n".join(f"  {row}" for row in bad[:listed])
    if len(bad) > listed:
        listing += f"\n  ... and {len(bad) - listed} more"
    if bad and not drop_bad_rows:
        raise AnnotationError(
            f"{len(bad)} bad rows of annotations:\n{listing}\nCorrect them, or set them aside "
            "with `--params annotate.on_bad_rows=drop`."
        )
    for name, split in annotations.items():
        if split.table.empty:
            raise AnnotationError(f"the {name} annotations hold no good row\n{listing}".strip())


def describe(annotations: Annotations, class_names: Sequence[str], listed: int) -> dict[str, Any]:
    """Counts and box statistics of one split, as JSON values.

    Args:
        annotations: The split.
        class_names: Name of each class, in the order of the labels.
        listed: How many bad rows are listed at most.
    """
    table = annotations.table
    counts = table["label"].value_counts()
    sizes = pd.DataFrame(
        {"width": table["xmax"] - table["xmin"], "height": table["ymax"] - table["ymin"]}
    )
    return {
        "rows": len(table) + len(annotations.bad_rows),
        "good_rows": len(table),
        "bad_rows": len(annotations.bad_rows),
        "bad_rows_listed": [str(row) for row in annotations.bad_rows[:listed]],
        "unannotated_images": annotations.unannotated_images,
        "images_per_class": {
            name: int(counts.get(label, 0)) for label, name in enumerate(class_names)
        },
        "relative_box_size": {
            side: {"min": float(sizes[side].min()), "max": float(sizes[side].max())}
            for side in sizes
        },
    }


class _BadRowError(Exception):
    """One row's fault; collected, not raised to the user."""


class _RowCheck:
    def __init__(self, images: frozenset[str], class_names: Sequence[str]) -> None:
        self.images = images
        self._labels = {name: label for label, name in enumerate(class_names)}
        self._seen: set[str] = set()

    def __call__(self, row: Sequence[str]) -> tuple[str, int, float, float, float, float]:
        if len(row) != len(COLUMNS):
            raise _BadRowError(f"{len(row)} columns, expected {len(COLUMNS)}: {','.join(COLUMNS)}")
        file, label = row[0].strip(), self._label(row[1].strip())
        corners = _corners(row[2:])
        self._check_file(file)
        self._seen.add(file)
        return (file, label, *corners)

    def _label(self, text: str) -> int:
        if text in self._labels:
            return self._labels[text]
        if text.isascii() and text.isdigit() and int(text) < len(self._labels):
            return int(text)
        raise _BadRowError(f"unknown label {text!r}; dataset.class_names holds {len(self._labels)}")

    def _check_file(self, file: str) -> None:
        path = PurePosixPath(file)
        if not file or path.is_absolute() or ".." in path.parts or "\\" in file:
            raise _BadRowError(f"the file name {file!r} leaves the folder of the images")
        if file not in self.images:
            raise _BadRowError(f"the image {file!r} does not exist")
        if file in self._seen:
            raise _BadRowError(f"the image {file!r} is annotated twice")


def _corners(texts: Sequence[str]) -> tuple[float, float, float, float]:
    try:
        xmin, ymin, xmax, ymax = (float(text) for text in texts)
    except ValueError:
        raise _BadRowError(f"the box {','.join(texts)!r} is not four numbers") from None
    corners = (xmin, ymin, xmax, ymax)
    if not all(math.isfinite(corner) for corner in corners):
        raise _BadRowError(f"the box {corners} is not finite")
    if min(corners) < 0 or max(corners) > 1:
        raise _BadRowError(f"the box {corners} leaves [0, 1]; corners are relative to the image")
    if not (xmin < xmax and ymin < ymax):
        raise _BadRowError(f"the box {corners} is not ordered: xmin < xmax and ymin < ymax")
    return corners


def _data_rows(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows in the order of `COLUMNS`, with their line numbers; blank lines are passed over."""
    reorder: Callable[[list[str]], list[str]] = list
    for number, row in enumerate(reader):
        if number == 0 and _is_header(row):
            names = [cell.strip().lower() for cell in row]
            if sorted(names) == sorted(COLUMNS):
                order = [names.index(column) for column in COLUMNS]
                reorder = _reordering(order)
            continue
        if row:
            yield reader.line_num, reorder(row)


def _reordering(order: Sequence[int]) -> Callable[[list[str]], list[str]]:
    def reorder(row: list[str]) -> list[str]:
        return [row[index] for index in order] if len(row) == len(order) else row

    return reorder


def _is_header(row: Sequence[str]) -> bool:
    """A first row none of whose box cells is a number names the columns."""
    return len(row) == len(COLUMNS) and not any(_is_number(cell) for cell in row[2:])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _files_below(folder: Path) -> Iterator[str]:
    for root, _, files in os.walk(folder):
        prefix = Path(root).relative_to(folder).as_posix()
        yield from files if prefix == "." else (f"{prefix}/{name}" for name in files)
