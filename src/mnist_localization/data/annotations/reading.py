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
from pydantic import BaseModel

from mnist_localization.config.data import AnnotateSettings, DatasetSettings
from mnist_localization.data.annotations.formats import (
    BadRow,
    Fault,
    ReadContext,
    load_format,
)
from mnist_localization.data.boxes import ANNOTATION_COLUMNS, relative_corners
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


class Range(BaseModel, frozen=True):
    """Smallest and largest value."""

    min: float
    max: float


class SplitReport(BaseModel, frozen=True):
    """Counts and box statistics of the annotations of one split."""

    rows: int
    good_rows: int
    bad_rows: int
    bad_rows_listed: tuple[str, ...]
    unannotated_images: int
    images_per_class: dict[str, int]
    relative_box_size: dict[str, Range]


class AnnotationReport(BaseModel, frozen=True):
    """The dataset `annotation_report`; `test` is `None` if the dataset has no test set."""

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
        name: read_annotations(folder / files.annotations, folder / files.images, dataset)
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


def read_annotations(path: Path, images: Path, dataset: DatasetSettings) -> Annotations:
    """Read and validate the annotations of one split.

    Args:
        path: Annotation file or folder, of the format that the settings name.
        images: Folder of the images that it names.
        dataset: The section `dataset`. A label is the name of a class or, if no class has that
            name, its number.

    Raises:
        AnnotationError: The file is missing or not of that format.
    """
    if not path.exists():
        raise AnnotationError(f"{path}: missing; run `kedro run --pipelines=fetch`")
    annotation_format = load_format(dataset.annotations.format)
    box_format = annotation_format.box_format or dataset.annotations.csv_boxes
    files = frozenset(files_below(images))
    labels = {name: label for label, name in enumerate(dataset.class_names)}
    good: dict[str, tuple[str | float, ...]] = {}
    bad: list[BadRow] = []
    for found in annotation_format.read(path, ReadContext(files, dataset.annotations)):
        # Name `./a.png` and `deep//c.png` as in a listing of the folder.
        row = replace(found, file=posixpath.normpath(found.file) if found.file else "")
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        try:
            label, box = _parse_label(row.label, labels), _parse_box(row.box)
            _check_file(row.file, images, files)
            corners = _relative_corners(box, box_format, images / row.file)
            if row.file in good:
                raise _RowError("annotated twice", f"the image {row.file!r} is annotated twice")
            good[row.file] = (row.file, label, *corners)
        except _RowError as error:
            bad.append(BadRow(row.source, row.line, str(error), error.fault, row.file))
    table = pd.DataFrame(list(good.values()), columns=list(ANNOTATION_COLUMNS))
    bad.sort(key=lambda row: (row.source, row.line))
    unannotated = sum(map(has_image_suffix, files.difference(good)))
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
    counts = np.bincount(table["label"].to_numpy(np.int64), minlength=len(class_names))
    sides = {"width": table["xmax"] - table["xmin"], "height": table["ymax"] - table["ymin"]}
    return SplitReport(
        rows=len(table) + len(annotations.bad_rows),
        good_rows=len(table),
        bad_rows=len(annotations.bad_rows),
        bad_rows_listed=tuple(str(row) for row in annotations.bad_rows[:listed]),
        unannotated_images=annotations.unannotated_images,
        images_per_class=dict(zip(class_names, counts.tolist(), strict=True)),
        relative_box_size={
            side: Range(min=float(values.min()), max=float(values.max()))
            for side, values in sides.items()
        },
    )


class _RowError(Exception):
    """Fault of one row; collected as a `BadRow`, not raised to the user."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault = fault


def _parse_label(text: str, labels: Mapping[str, int]) -> int:
    if text in labels:
        return labels[text]
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(labels):
        return int(text)
    reason = f"unknown label {text!r}; dataset.class_names has {len(labels)} names"
    raise _RowError("unknown label", reason)


def _parse_box(values: Sequence[str | float]) -> tuple[float, ...]:
    try:
        box = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        box = ()
    if len(box) != 4:
        shown = ",".join(map(str, values))[:_SHOWN]
        raise _RowError("invalid box", f"the box {shown!r} is not four numbers")
    if not all(math.isfinite(value) for value in box):
        raise _RowError("invalid box", f"the box {box} is not finite")
    return box


def _check_file(file: str, folder: Path, files: frozenset[str]) -> None:
    path = PurePosixPath(file)
    if not file or path.is_absolute() or ".." in path.parts or "\\" in file:
        reason = f"the file name {file!r} leaves the folder of the images"
        raise _RowError("path outside the folder", reason)
    if file not in files:
        raise _RowError("missing image", f"the image {file!r} does not exist in {folder}")
    if file != printable(file):
        reason = f"the file name {file!r} is not Unicode text; rename the file"
        raise _RowError("malformed row", reason)


def _relative_corners(box: Sequence[float], box_format: str, path: Path) -> list[float]:
    """Return corners inside the image; raise if rounding does not explain what is outside."""
    height = width = 1
    frame = "[0, 1]; it must be relative to the image"
    if not box_format.startswith("rel_"):
        try:
            header = read_header(path)
        except ImageError as error:
            raise _RowError("unreadable image", str(error)) from error
        height, width = header.height, header.width
        frame = f"the image of {width}x{height} pixels"
    corners = relative_corners(box, box_format, height, width)[0].tolist()
    if not _is_ordered(corners):
        reason = "is not ordered: its corners need xmin < xmax and ymin < ymax"
        raise _RowError("invalid box", f"the box {box} ({box_format}) {reason}")
    inside = [min(max(corner, 0.0), 1.0) for corner in corners]
    moved = max(abs(new - old) for new, old in zip(inside, corners, strict=True))
    tolerance = _CORNER_TOLERANCE if box_format == "rel_xyxy" else _TOLERANCE
    # A box that lies within the tolerance outside the border has no area left inside.
    if moved > tolerance or not _is_ordered(inside):
        raise _RowError("box outside the image", f"the box {box} ({box_format}) leaves {frame}")
    return inside


def _is_ordered(corners: Sequence[float]) -> bool:
    xmin, ymin, xmax, ymax = corners
    return xmin < xmax and ymin < ymax


def files_below(folder: Path) -> Iterator[str]:
    """Yield the names of all files in a folder and its subfolders, relative to the folder."""
    for root, _, files in os.walk(folder):
        prefix = Path(root).relative_to(folder).as_posix()
        yield from files if prefix == "." else (f"{prefix}/{name}" for name in files)
