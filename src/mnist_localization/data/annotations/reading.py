"""Annotation files of any registered format, validated row by row into one table."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from mnist_localization.config.data import DatasetSettings, OnSeveral
from mnist_localization.data.annotations.box_fitting import (
    RowError,
    check_units,
    fit_box,
    parse_box,
)
from mnist_localization.data.annotations.class_names import (
    check_numbers,
    find_class_names,
    parse_label,
)
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    BadRow,
    Decision,
    Found,
    RawRow,
    ReadContext,
    choose_format,
)
from mnist_localization.data.annotations.image_names import ImageNames, UnknownImageError
from mnist_localization.data.boxes import ANNOTATION_COLUMNS
from mnist_localization.data.grouping import GROUP
from mnist_localization.data.images.decode import has_image_suffix, printable
from mnist_localization.errors import AnnotationError
from mnist_localization.files import files_below

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Annotations:
    """The rows of one split, good and bad.

    Attributes:
        table: Good rows, columns `ANNOTATION_COLUMNS`.
        bad_rows: Rows that cannot be used.
        unannotated_images: Number of images without a good row.
        negatives: Images that are annotated as images without an object.
        decisions: Other parts of the annotations, and what was done with them.
    """

    table: pd.DataFrame
    bad_rows: tuple[BadRow, ...]
    unannotated_images: int
    negatives: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def count_decisions(self) -> dict[str, int]:
        """Return the number of decisions of each kind."""
        return dict(Counter(decision.kind for decision in self.decisions))


def name_classes(
    dataset: DatasetSettings, places: Sequence[tuple[Path, Path]], root: Path
) -> DatasetSettings:
    """Return the settings with the names of the classes, which `auto` takes from the annotations.

    Args:
        dataset: The section `dataset`.
        places: Annotation file or folder, and folder of the images, of each split.
        root: Folder of the dataset.

    Raises:
        AnnotationError: A file is missing or not of its format, or has no labels.
    """
    if dataset.class_names:
        return dataset
    labels: set[str] = set()
    for path, images in places:
        context = ReadContext(frozenset(files_below(images)), dataset.annotations, ())
        annotation_format = _format_of(path, dataset)
        rows = annotation_format.read(path, context)
        labels.update(row.label for row in rows if isinstance(row, RawRow) and row.box)
    paths = [path for path, _ in places]
    names = find_class_names(labels, paths, root, has_numbers=annotation_format.has_numbers)
    logger.info("Classes of the annotations: %s", ", ".join(names))
    return dataset.with_class_names(names)


def read_annotations(
    path: Path,
    images: Path,
    root: Path,
    dataset: DatasetSettings,
    on_several: OnSeveral = "error",
) -> Annotations:
    """Read and validate the annotations of one split.

    Args:
        path: Annotation file or folder, of the format that the settings name.
        images: Folder of the images that it names.
        root: Folder of the dataset, in which lists of classes are searched.
        dataset: The section `dataset`. A label is the name of a class or, if no class has that
            name, its number.
        on_several: What to do with an image of several objects.

    Raises:
        AnnotationError: The file is missing or not of that format, or its numbers of classes or
            its boxes have another meaning than configured.
    """
    annotation_format = _format_of(path, dataset)
    files = frozenset(files_below(images))
    context = ReadContext(files, dataset.annotations, dataset.class_names)
    reader = _Reader(images, ImageNames(files), dataset, annotation_format.has_numbers)
    for found in annotation_format.read(path, context):
        reader.add(found)
    check_numbers(reader.numbers, dataset.class_names, path, root)
    reader.fit(annotation_format.box_format or dataset.annotations.csv_boxes, path)
    good, negatives = reader.one_per_image(on_several)
    table = pd.DataFrame(good, columns=list(ANNOTATION_COLUMNS))
    if reader.groups:
        table[GROUP] = table["file"].map(reader.groups)
    unannotated = sum(map(has_image_suffix, files.difference(table["file"], negatives)))
    bad = sorted(reader.bad, key=lambda row: (row.source, row.line))
    return Annotations(table, tuple(bad), unannotated, negatives, tuple(reader.decisions))


def _format_of(path: Path, dataset: DatasetSettings) -> AnnotationFormat:
    if not path.exists():
        raise AnnotationError(f"{path}: missing; run `kedro run --pipelines=fetch`")
    name, annotation_format = choose_format(dataset.annotations.format, path)
    if name != dataset.annotations.format:
        logger.info("Annotations of the format %s: %s", name, path)
    return annotation_format


class _Reader:
    """Rows of one split on their way from an annotation file to a table.

    Attributes:
        numbers: Labels that were written as numbers.
        groups: Name of the group of each image, if the annotations state it.
        bad: Rows that cannot be used.
        decisions: What was done with other parts of the annotations.
    """

    def __init__(
        self, images: Path, names: ImageNames, dataset: DatasetSettings, has_numbers: bool
    ) -> None:
        self._images = images
        self._has_numbers = has_numbers
        self._names = names
        self._labels = {name: label for label, name in enumerate(dataset.class_names)}
        self._rows: list[tuple[RawRow, int, tuple[float, ...]]] = []
        self._fitted: dict[str, list[tuple[RawRow, int, tuple[float, ...]]]] = {}
        self._negatives: dict[str, RawRow] = {}
        self.numbers: list[int] = []
        self.groups: dict[str, str] = {}
        self.bad: list[BadRow] = []
        self.decisions: list[Decision] = []

    def add(self, found: Found) -> None:
        """Parse a row; boxes are fitted later, because all of them show their unit."""
        if isinstance(found, BadRow):
            self.bad.append(found)
        elif isinstance(found, Decision):
            self.decisions.append(Decision(found.kind, printable(found.file)))
        else:
            try:
                self._parse(found)
            except RowError as error:
                self._reject(found, error)

    def fit(self, box_format: str, path: Path) -> None:
        """Fit all boxes to their images."""
        for unit in {row.box_format or box_format for row, _, _ in self._rows}:
            boxes = [box for row, _, box in self._rows if (row.box_format or box_format) == unit]
            check_units(boxes, unit, path)
        for row, label, box in self._rows:
            try:
                fitted = fit_box(
                    box, row.box_format or box_format, self._images / row.file, row.size
                )
            except RowError as error:
                self._reject(row, error)
            else:
                self.decisions += [Decision(change, row.file) for change in fitted.changes]
                self._fitted.setdefault(row.file, []).append((row, label, fitted.corners))

    def one_per_image(
        self, on_several: OnSeveral
    ) -> tuple[list[tuple[str | float, ...]], tuple[str, ...]]:
        """Return one row for each image with an object, and the images without one."""
        good: list[tuple[str | float, ...]] = []
        for file, objects in self._fitted.items():
            different = list({(label, corners): row for row, label, corners in objects}.items())
            repeated = len(objects) - len(different)
            self.decisions += [Decision("repeated row ignored", file)] * repeated
            if len(different) > 1 and on_several == "error":
                for _, row in different:
                    self._reject(row, _several(file, len(different)))
            elif len(different) > 1 and on_several == "drop_image":
                self.decisions.append(Decision("image with several objects left out", file))
            else:
                if len(different) > 1:
                    self.decisions.append(Decision("smaller objects of an image left out", file))
                label, corners = max(different, key=lambda item: _area(item[0][1]))[0]
                good.append((file, label, *corners))
        for file, row in self._negatives.items():
            if file in self._fitted:
                reason = f"{file!r} is annotated with and without an object"
                self._reject(row, RowError("several objects", reason))
        negatives = tuple(file for file in self._negatives if file not in self._fitted)
        self.decisions += [Decision("image without an object", file) for file in negatives]
        return good, negatives

    def _parse(self, row: RawRow) -> None:
        if not row.label and not row.box:
            found = self._find(row)
            self._negatives[found.file] = found
            return
        text = row.label
        if not text and len(self._labels) == 1:
            (text,) = self._labels
            self.decisions.append(Decision("object without a label is of the only class", row.file))
        label, is_number = parse_label(text, {} if self._has_numbers else self._labels)
        if label is None and self._has_numbers:
            label = self._labels.get(text)
        if is_number and label is not None:
            self.numbers.append(label)
        if label is None or label >= len(self._labels):
            count = len(self._labels)
            reason = f"unknown label {row.label!r}; dataset.class_names has {count} names"
            raise RowError("unknown label", reason)
        box = parse_box(row.box)
        found = self._find(row)
        if found.group:
            self.groups[found.file] = found.group
        self._rows.append((found, label, box))

    def _find(self, row: RawRow) -> RawRow:
        """Return the row with the name of its image as it is in the folder."""
        found: dict[str, bool] = {}
        problems = []
        for name in dict.fromkeys(filter(None, (row.file, row.other_file))):
            try:
                file, is_other = self._names.find(name)
            except UnknownImageError as error:
                problems.append(str(error))
            else:
                # The second name has no suffix, so only the first one can be another name.
                found.setdefault(file, is_other if name == row.file else bool(problems))
        if len(found) > 1:
            reason = f"the image is {row.file!r} or, as the file {row.source} is named, another"
            raise RowError("missing image", f"{reason}; correct the name of the image")
        if not found:
            problem = problems[0] if problems else "the row names no image"
            raise RowError("missing image", f"{problem} in {self._images}")
        ((file, is_other),) = found.items()
        if file != printable(file):
            reason = f"the file name {file!r} is not Unicode text; rename the file"
            raise RowError("malformed row", reason)
        if is_other:
            self.decisions.append(Decision("image found by another name", file))
        return replace(row, file=file)

    def _reject(self, row: RawRow, error: RowError) -> None:
        self.bad.append(BadRow(row.source, row.line, str(error), error.fault, row.file))


def _several(file: str, count: int) -> RowError:
    return RowError(
        "several objects",
        f"the image {file!r} is annotated with {count} objects",
    )


def _area(corners: Sequence[float]) -> float:
    return (corners[2] - corners[0]) * (corners[3] - corners[1])
