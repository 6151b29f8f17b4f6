"""Annotation files of any supported format, checked row by row into one table."""

import math
import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mnist_localization.config import AnnotationFormat
from mnist_localization.data.annotations.conversion import relative_corners
from mnist_localization.data.annotations.formats.coco import coco_rows
from mnist_localization.data.annotations.formats.csv import csv_rows
from mnist_localization.data.annotations.formats.voc import voc_rows
from mnist_localization.data.annotations.formats.yolo import yolo_rows
from mnist_localization.data.annotations.table import (
    COLUMNS,
    Annotations,
    BadRow,
    Fault,
    RawRow,
    RowError,
)
from mnist_localization.data.boxes import FloatArray
from mnist_localization.data.images import SUFFIXES, read_header
from mnist_localization.data.images.decode import printable
from mnist_localization.errors import AnnotationError, ImageError

# What rounding may add to a corner that lies on the image's border: little where the corner
# itself is written, more where it is the sum of a rounded center and half a rounded side.
_CORNER_ROUNDING = 1e-6
_ROUNDING = 1e-4
# Characters of a box that is none, as a message shows it.
_SHOWN = 80
_OURS = AnnotationFormat()


def read_annotations(
    path: Path,
    images: Path,
    class_names: Sequence[str],
    settings: AnnotationFormat = _OURS,
) -> Annotations:
    """Read and check the annotations of one split.

    Args:
        path: A CSV (UTF-8 with or without a byte order mark, lines ending in LF or CRLF), a
            COCO JSON file, or a folder of YOLO text files or Pascal VOC XML files.
        images: Folder that holds the images it names.
        class_names: Name of each class, in the order of the labels. A label is a class' name
            or, where no class has that name, its number.
        settings: Format of the annotations; by default a CSV with the columns
            `file, label, xmin, ymin, xmax, ymax`, with or without a header, boxes relative.

    Raises:
        AnnotationError: The file is missing or not of that format.
    """
    if not path.exists():
        raise AnnotationError(f"{path}: missing; run `kedro run --pipeline=fetch`")
    files = frozenset(_files_below(images))
    check = _RowCheck(images, files, class_names)
    parsed: list[tuple[RawRow, int, tuple[float, ...]]] = []
    bad: list[BadRow] = []
    for row in map(_with_plain_name, _rows(path, files, settings)):
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        try:
            parsed.append((row, *check(row)))
        except RowError as error:
            bad.append(_bad(row, error.fault, str(error)))
    table, faulty = _checked_table(parsed, images, settings.box_format)
    others = files.difference(table["file"])
    unannotated = sum(PurePosixPath(name).suffix.lower() in SUFFIXES for name in others)
    bad = sorted([*bad, *faulty], key=lambda row: (row.csv, row.line))
    return Annotations(table, tuple(bad), unannotated)


def _with_plain_name(row: RawRow | BadRow) -> RawRow | BadRow:
    """`./a.png` and `deep//c.png` as a listing of the folder calls them."""
    plain = posixpath.normpath(row.file) if row.file else ""
    return row if row.file == plain else replace(row, file=plain)


def _rows(
    path: Path, files: frozenset[str], settings: AnnotationFormat
) -> Iterator[RawRow | BadRow]:
    if settings.format == "csv":
        return csv_rows(path, settings.csv)
    if settings.format == "coco":
        return coco_rows(path)
    if settings.format == "yolo":
        return yolo_rows(path, files)
    return voc_rows(path)


def _checked_table(
    parsed: Sequence[tuple[RawRow, int, tuple[float, ...]]], images: Path, box_format: str
) -> tuple[pd.DataFrame, list[BadRow]]:
    """Good rows with relative corners, and those whose box or image is not right."""
    bad: list[BadRow] = []
    sizes = np.ones((len(parsed), 2))
    if not box_format.startswith("rel_"):
        for index, (row, _, _) in enumerate(parsed):
            try:
                header = read_header(images / row.file)
                sizes[index] = header.height, header.width
            except ImageError as error:
                bad.append(_bad(row, "unreadable image", str(error)))
                sizes[index] = np.nan
    boxes = np.array([box for _, _, box in parsed], dtype=np.float64).reshape(-1, 4)
    corners = relative_corners(boxes, box_format, sizes)
    good: list[tuple[str, int, float, float, float, float]] = []
    seen: set[str] = set()
    for (row, label, box), relative, size in zip(parsed, corners, sizes, strict=True):
        if math.isnan(size[0]):
            continue
        try:
            xmin, ymin, xmax, ymax = _inside(relative, box, box_format, size)
            if row.file in seen:
                raise RowError("annotated twice", f"the image {row.file!r} is annotated twice")
        except RowError as error:
            bad.append(_bad(row, error.fault, str(error)))
            continue
        seen.add(row.file)
        good.append((row.file, label, xmin, ymin, xmax, ymax))
    return pd.DataFrame(good, columns=list(COLUMNS)), bad


def _inside(
    relative: FloatArray, box: Sequence[float], box_format: str, size: FloatArray
) -> tuple[float, float, float, float]:
    ours = box_format == "rel_xyxy"
    tolerance = _CORNER_ROUNDING if ours else _ROUNDING
    inside = np.clip(relative, 0.0, 1.0)
    if not _is_ordered(relative):
        order = "xmin < xmax and ymin < ymax" if ours else f"it encloses nothing ({box_format})"
        raise RowError("invalid box", f"the box {tuple(box)} is not ordered: {order}")
    # A box within the tolerance beyond the border has nothing left inside.
    if np.abs(relative - inside).max() > tolerance or not _is_ordered(inside):
        where = "[0, 1]; corners are relative to the image"
        if not box_format.startswith("rel_"):
            where = f"the image of {size[1]:.0f}x{size[0]:.0f} pixels ({box_format})"
        elif not ours:
            where = f"the image; it is relative to it ({box_format})"
        raise RowError("box outside the image", f"the box {tuple(box)} leaves {where}")
    xmin, ymin, xmax, ymax = inside.tolist()
    return xmin, ymin, xmax, ymax


def _is_ordered(corners: FloatArray) -> bool:
    return bool(corners[0] < corners[2] and corners[1] < corners[3])


class _RowCheck:
    """What can be said of a row by itself: its image, its label, its four numbers."""

    def __init__(self, folder: Path, images: frozenset[str], class_names: Sequence[str]) -> None:
        self._folder = folder
        self._images = images
        self._labels = {name: label for label, name in enumerate(class_names)}

    def __call__(self, row: RawRow) -> tuple[int, tuple[float, ...]]:
        label, box = self._label(row.label), _numbers(row.box)
        self._check_file(row.file)
        return label, box

    def _label(self, text: str) -> int:
        if text in self._labels:
            return self._labels[text]
        if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(self._labels):
            return int(text)
        raise RowError(
            "unknown label",
            f"unknown label {text!r}; dataset.class_names holds {len(self._labels)}",
        )

    def _check_file(self, file: str) -> None:
        path = PurePosixPath(file)
        if not file or path.is_absolute() or ".." in path.parts or "\\" in file:
            raise RowError(
                "path outside the folder",
                f"the file name {file!r} leaves the folder of the images",
            )
        if file not in self._images:
            raise RowError("missing image", f"the image {file!r} does not exist in {self._folder}")
        if file != printable(file):
            raise RowError(
                "malformed row", f"the file name {file!r} is not Unicode text; rename the file"
            )


def _numbers(values: Sequence[str | float]) -> tuple[float, ...]:
    try:
        box = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        box = ()
    if len(box) != 4:
        said = ",".join(map(str, values))[:_SHOWN]
        raise RowError("invalid box", f"the box {said!r} is not four numbers")
    if not all(math.isfinite(value) for value in box):
        raise RowError("invalid box", f"the box {box} is not finite")
    return box


def _bad(row: RawRow, fault: Fault, reason: str) -> BadRow:
    return BadRow(row.source, row.line, reason, fault, row.file)


def _files_below(folder: Path) -> Iterator[str]:
    for root, _, files in os.walk(folder):
        prefix = Path(root).relative_to(folder).as_posix()
        yield from files if prefix == "." else (f"{prefix}/{name}" for name in files)
