"""Annotation files of any registered format, validated row by row into one table."""

import logging
import math
import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from mnist_localization.config.data import AnnotateSettings, AnnotationSettings, DatasetSettings
from mnist_localization.data.annotations.formats import (
    BadRow,
    RawRow,
    ReadContext,
    RowError,
    load_format,
)
from mnist_localization.data.boxes import ANNOTATION_COLUMNS, FloatArray, relative_corners
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images.decode import (
    has_image_suffix,
    printable,
    read_header,
)
from mnist_localization.errors import AnnotationError, ImageError

logger = logging.getLogger(__name__)

# What rounding may add to a corner on the border of the image. It is more if the corner is the
# sum of a rounded center and half a rounded side.
_CORNER_TOLERANCE = 1e-6
_TOLERANCE = 1e-4
# Characters of an invalid box that a message shows.
_SHOWN = 80


@dataclass(frozen=True)
class Annotations:
    """The rows of one split, good and bad.

    Attributes:
        table: Good rows, columns `ANNOTATION_COLUMNS`.
        bad_rows: Rows that cannot be used.
        unannotated_images: Number of images without a good row.
    """

    table: pd.DataFrame
    bad_rows: tuple[BadRow, ...]
    unannotated_images: int


class Range(BaseModel):
    """Smallest and largest value."""

    model_config = ConfigDict(frozen=True)

    min: float
    max: float


class SplitReport(BaseModel):
    """Counts and box statistics of the annotations of one split."""

    model_config = ConfigDict(frozen=True)

    rows: int
    good_rows: int
    bad_rows: int
    bad_rows_listed: tuple[str, ...]
    unannotated_images: int
    images_per_class: dict[str, int]
    relative_box_size: dict[str, Range]


class AnnotationReport(BaseModel):
    """The dataset `annotation_report`; `test` is `None` if the dataset has no test set."""

    model_config = ConfigDict(frozen=True)

    train: SplitReport
    test: SplitReport | None = None


def annotate_dataset(
    settings: AnnotateSettings,
    dataset: DatasetSettings,
    dataset_card: DatasetCard,
    raw_folder: Path,
) -> tuple[pd.DataFrame, pd.DataFrame, AnnotationReport]:
    """Parse and validate the annotations of the fetched dataset.

    Args:
        settings: The section `annotate`.
        dataset: The section `dataset`.
        dataset_card: Description of the fetched dataset.
        raw_folder: Parent of the folders of all sources.

    Returns:
        The training table, the test table (columns `ANNOTATION_COLUMNS`; empty if the dataset has
        no test set), and a report.

    Raises:
        AnnotationError: There are bad rows and `annotate.on_bad_rows` is `error`, a split has no
            good row, or an annotation file is not of its format.
    """
    folder = raw_folder / dataset_card.folder
    annotations = {
        name: read_annotations(
            folder / files.annotations,
            folder / files.images,
            dataset.class_names,
            dataset.annotations,
        )
        for name, files in dataset_card.splits.items()
    }
    drop = settings.on_bad_rows == "drop"
    raise_on_bad_rows(annotations, drop_bad_rows=drop, listed=settings.listed_bad_rows)
    for name, split in annotations.items():
        if split.bad_rows:
            logger.warning("Dropped %d bad rows of %s.", len(split.bad_rows), name)
        logger.info("Annotated %d %s images.", len(split.table), name)
    report = AnnotationReport(
        **{
            name: describe(split, dataset.class_names, settings.listed_bad_rows)
            for name, split in annotations.items()
        }
    )
    train = annotations["train"].table
    test = annotations["test"].table if "test" in annotations else train.iloc[:0]
    return train, test, report


def read_annotations(
    path: Path, images: Path, class_names: Sequence[str], settings: AnnotationSettings
) -> Annotations:
    """Read and validate the annotations of one split.

    Args:
        path: Annotation file or folder, of the format that the settings name.
        images: Folder of the images that it names.
        class_names: Name of each class, in the order of the labels. A label is the name of a
            class or, if no class has that name, its number.
        settings: The section `dataset.annotations`.

    Raises:
        AnnotationError: The file is missing or not of that format.
    """
    if not path.exists():
        raise AnnotationError(f"{path}: missing; run `kedro run --pipeline=fetch`")
    annotation_format = load_format(settings.format)
    files = frozenset(files_below(images))
    labels = {name: label for label, name in enumerate(class_names)}
    parsed: list[_ParsedRow] = []
    bad: list[BadRow] = []
    rows = annotation_format.read(path, ReadContext(files, settings))
    for row in map(_with_normalized_name, rows):
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        try:
            parsed.append(_parse(row, images, files, labels))
        except RowError as error:
            bad.append(_bad_row(row, error))
    box_format = annotation_format.box_format or settings.csv_boxes
    table, faulty = _validated_table(parsed, images, box_format)
    others = files.difference(table["file"])
    unannotated = sum(map(has_image_suffix, others))
    bad = sorted([*bad, *faulty], key=lambda row: (row.source, row.line))
    return Annotations(table, tuple(bad), unannotated)


def raise_on_bad_rows(
    annotations: Mapping[str, Annotations], *, drop_bad_rows: bool, listed: int
) -> None:
    """Raise an error if there are bad rows to keep, or if a split has no good row.

    Args:
        annotations: Annotations by the name of the split.
        drop_bad_rows: Whether bad rows are allowed.
        listed: Number of bad rows that the message lists at most.

    Raises:
        AnnotationError: Lists the bad rows with file, line and reason.
    """
    bad = [row for split in annotations.values() for row in split.bad_rows]
    listing = "\n".join(f"  {row}" for row in bad[:listed])
    if len(bad) > listed:
        listing += f"\n  ... and {len(bad) - listed} more"
    if bad and not drop_bad_rows:
        raise AnnotationError(
            f"{len(bad)} bad rows of annotations:\n{listing}\nCorrect them, or drop them with "
            "`--params annotate.on_bad_rows=drop`."
        )
    for name, split in annotations.items():
        if split.table.empty:
            raise AnnotationError(f"the {name} annotations have no good row\n{listing}".strip())


def describe(annotations: Annotations, class_names: Sequence[str], listed: int) -> SplitReport:
    """Return counts and box statistics of one split.

    Args:
        annotations: Annotations of the split.
        class_names: Name of each class, in the order of the labels.
        listed: Number of bad rows that are listed at most.
    """
    table = annotations.table
    counts = table["label"].value_counts()
    sides = {"width": table["xmax"] - table["xmin"], "height": table["ymax"] - table["ymin"]}
    return SplitReport(
        rows=len(table) + len(annotations.bad_rows),
        good_rows=len(table),
        bad_rows=len(annotations.bad_rows),
        bad_rows_listed=tuple(str(row) for row in annotations.bad_rows[:listed]),
        unannotated_images=annotations.unannotated_images,
        images_per_class={
            name: int(counts.get(label, 0)) for label, name in enumerate(class_names)
        },
        relative_box_size={
            side: Range(min=float(values.min()), max=float(values.max()))
            for side, values in sides.items()
        },
    )


@dataclass(frozen=True)
class _ParsedRow:
    """A row whose image exists, with its label and the four numbers of its box."""

    row: RawRow
    label: int
    box: tuple[float, ...]


def _parse(
    row: RawRow, folder: Path, files: frozenset[str], labels: Mapping[str, int]
) -> _ParsedRow:
    """Parse label and box of a row, and check its file name against the files of the folder."""
    label, file = _parse_label(row.label, labels), row.file
    box = _parse_box(row.box)
    path = PurePosixPath(file)
    if not file or path.is_absolute() or ".." in path.parts or "\\" in file:
        reason = f"the file name {file!r} leaves the folder of the images"
        raise RowError("path outside the folder", reason)
    if file not in files:
        raise RowError("missing image", f"the image {file!r} does not exist in {folder}")
    if file != printable(file):
        reason = f"the file name {file!r} is not Unicode text; rename the file"
        raise RowError("malformed row", reason)
    return _ParsedRow(row, label, box)


def _parse_label(text: str, labels: Mapping[str, int]) -> int:
    if text in labels:
        return labels[text]
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(labels):
        return int(text)
    reason = f"unknown label {text!r}; dataset.class_names has {len(labels)} names"
    raise RowError("unknown label", reason)


def _parse_box(values: Sequence[str | float]) -> tuple[float, ...]:
    try:
        box = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        box = ()
    if len(box) != 4:
        shown = ",".join(map(str, values))[:_SHOWN]
        raise RowError("invalid box", f"the box {shown!r} is not four numbers")
    if not all(math.isfinite(value) for value in box):
        raise RowError("invalid box", f"the box {box} is not finite")
    return box


def _validated_table(
    parsed: Sequence[_ParsedRow], images: Path, box_format: str
) -> tuple[pd.DataFrame, list[BadRow]]:
    """Return good rows with relative corners, and rows whose box or image is faulty."""
    bad: list[BadRow] = []
    sizes = np.ones((len(parsed), 2))
    if not box_format.startswith("rel_"):
        for index, each in enumerate(parsed):
            try:
                header = read_header(images / each.row.file)
                sizes[index] = header.height, header.width
            except ImageError as error:
                bad.append(_bad_row(each.row, RowError("unreadable image", str(error))))
                sizes[index] = np.nan
    boxes = np.array([each.box for each in parsed], dtype=np.float64)
    corners = relative_corners(boxes, box_format, sizes[:, 0], sizes[:, 1])
    good: list[tuple[str, int, float, float, float, float]] = []
    seen: set[str] = set()
    for each, relative, size in zip(parsed, corners, sizes, strict=True):
        if math.isnan(size[0]):
            continue
        file = each.row.file
        try:
            xmin, ymin, xmax, ymax = _clipped(relative, each.box, box_format, size)
            if file in seen:
                raise RowError("annotated twice", f"the image {file!r} is annotated twice")
        except RowError as error:
            bad.append(_bad_row(each.row, error))
            continue
        seen.add(file)
        good.append((file, each.label, xmin, ymin, xmax, ymax))
    return pd.DataFrame(good, columns=list(ANNOTATION_COLUMNS)), bad


def _clipped(
    relative: FloatArray, box: Sequence[float], box_format: str, size: FloatArray
) -> tuple[float, float, float, float]:
    """Return corners inside the image; raise if rounding does not explain what is outside."""
    as_corners = box_format == "rel_xyxy"
    tolerance = _CORNER_TOLERANCE if as_corners else _TOLERANCE
    inside = np.clip(relative, 0.0, 1.0)
    if not _is_ordered(relative):
        rule = "xmin < xmax and ymin < ymax" if as_corners else f"it has no area ({box_format})"
        raise RowError("invalid box", f"the box {tuple(box)} is not ordered: {rule}")
    # A box that lies within the tolerance outside the border has no area left inside.
    if np.abs(relative - inside).max() > tolerance or not _is_ordered(inside):
        frame = "[0, 1]; corners are relative to the image"
        if not box_format.startswith("rel_"):
            frame = f"the image of {size[1]:.0f}x{size[0]:.0f} pixels ({box_format})"
        elif not as_corners:
            frame = f"the image that it is relative to ({box_format})"
        raise RowError("box outside the image", f"the box {tuple(box)} leaves {frame}")
    xmin, ymin, xmax, ymax = inside.tolist()
    return xmin, ymin, xmax, ymax


def _is_ordered(corners: FloatArray) -> bool:
    return bool(corners[0] < corners[2] and corners[1] < corners[3])


def _with_normalized_name(row: RawRow | BadRow) -> RawRow | BadRow:
    """Return the row with `./a.png` and `deep//c.png` named as in a listing of the folder."""
    name = posixpath.normpath(row.file) if row.file else ""
    return row if row.file == name else replace(row, file=name)


def _bad_row(row: RawRow, error: RowError) -> BadRow:
    return BadRow(row.source, row.line, str(error), error.fault, row.file)


def files_below(folder: Path) -> Iterator[str]:
    """Yield the names of all files in a folder and its subfolders, relative to the folder."""
    for root, _, files in os.walk(folder):
        prefix = Path(root).relative_to(folder).as_posix()
        yield from files if prefix == "." else (f"{prefix}/{name}" for name in files)
