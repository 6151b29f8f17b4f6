"""The stage `annotate`: tables of all splits, a report, and an error that lists all bad rows."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel

from mnist_localization.config.data import AnnotateSettings, DatasetSettings, OnSeveral
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.annotations.formats import Fault
from mnist_localization.data.annotations.reading import (
    Annotations,
    name_classes,
    read_annotations,
)
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.errors import AnnotationError

logger = logging.getLogger(__name__)

# Sets of images, in the order of the tables that `annotate_dataset` returns.
_SETS = ("train", "validation", "test")
# More rows than this, and more than half of all, show that the configuration is wrong.
_FEW = 10
_SEVERAL: Fault = "several objects"
_REMEDIES: dict[Fault, str] = {
    "malformed row": "Correct dataset.annotations: format, csv.columns and csv.delimiter",
    "unknown label": "Correct dataset.class_names, or the column of the label",
    "missing image": "Correct the folder of the images in fetch.folder, or csv.file",
    "unreadable image": "Replace or convert the images",
    "box outside the image": "Correct dataset.annotations.csv_boxes",
    "invalid box": "Correct dataset.annotations: csv_boxes and csv.columns",
    "image of another size": "Use the images that were annotated",
    "several objects": "Set annotate.on_several to largest or drop_image",
}


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
    images_without_object: int
    decisions: dict[str, int]
    images_per_class: dict[str, int]
    relative_box_size: dict[str, Range]


class AnnotationReport(BaseModel, frozen=True):
    """The dataset `annotation_report`; a set that the dataset does not have is `None`."""

    train: SplitReport
    validation: SplitReport | None = None
    test: SplitReport | None = None


def annotate_dataset(
    settings: AnnotateSettings,
    dataset: DatasetSettings,
    dataset_card: DatasetCard,
    raw_folder: Path,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, ClassNames, AnnotationReport]:
    """Parse and validate the annotations of the fetched dataset.

    Args:
        settings: The section `annotate`.
        dataset: The section `dataset`.
        dataset_card: Description of the fetched dataset.
        raw_folder: Parent of the folders of all sources.

    Returns:
        The tables of the training, validation and test set (columns `ANNOTATION_COLUMNS`; empty
        if the dataset has no such set), the class names, and a report.

    Raises:
        AnnotationError: There are bad rows and `annotate.on_bad_rows` is `error`, a split has no
            good row, or an annotation file is not of its format.
    """
    dataset, annotations = read_dataset(dataset, dataset_card, raw_folder, settings.on_several)
    drop = settings.on_bad_rows == "drop"
    raise_on_bad_rows(annotations, drop_bad_rows=drop, listed=settings.listed_bad_rows)
    for name, split in annotations.items():
        if split.bad_rows:
            logger.warning("Dropped %d bad rows of %s.", len(split.bad_rows), name)
        logger.info("Annotated %d %s images.", len(split.table), name)
        if counts := split.count_decisions():
            shown = ", ".join(f"{kind} ({count})" for kind, count in counts.items())
            logger.info("%s: %s; `kedro run --pipelines=check` lists the files.", name, shown)
    report = AnnotationReport(
        **{
            name: describe(split, dataset.class_names, settings.listed_bad_rows)
            for name, split in annotations.items()
        }
    )
    train = table_of(annotations["train"])
    tables = [table_of(annotations[name]) if name in annotations else train[:0] for name in _SETS]
    return *tables, ClassNames(dataset.class_names), report  # type: ignore[return-value]


def read_dataset(
    dataset: DatasetSettings, dataset_card: DatasetCard, raw_folder: Path, on_several: OnSeveral
) -> tuple[DatasetSettings, dict[str, Annotations]]:
    """Read the annotations of a fetched dataset.

    Args:
        dataset: The section `dataset`.
        dataset_card: Description of the fetched dataset.
        raw_folder: Parent of the folders of all sources.
        on_several: What to do with an image of several objects.

    Returns:
        The section `dataset` with the names of the classes, and the annotations of each set.

    Raises:
        AnnotationError: An annotation file is not of its format, or has no labels.
    """
    folder = raw_folder / dataset_card.folder
    places = {
        name: (folder / files.annotations, folder / files.images)
        for name, files in dataset_card.splits.items()
    }
    root = folder / dataset_card.root_folder
    dataset = name_classes(dataset, list(places.values()), root)
    return dataset, {
        name: read_annotations(*place, root, dataset, on_several) for name, place in places.items()
    }


def table_of(annotations: Annotations) -> pd.DataFrame:
    """Return the good rows, followed by images without an object, which have no label and box."""
    if not annotations.negatives:
        return annotations.table
    empty = pd.DataFrame({"file": list(annotations.negatives)})
    return pd.concat([annotations.table, empty], ignore_index=True)


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
        rows = len(bad) + sum(len(split.table) for split in annotations.values())
        fault, count = Counter(row.fault for row in bad).most_common(1)[0]
        if count > max(_FEW, rows / 2):
            first = next(row for row in bad if row.fault == fault)
            raise AnnotationError(
                f"{count} of {rows} rows of annotations have the same fault, {fault}: {first}\n"
                f"{_REMEDIES[fault]}."
            )
        hint = (
            f" {_REMEDIES[_SEVERAL]}, for images with several objects."
            if any(row.fault == _SEVERAL for row in bad)
            else ""
        )
        raise AnnotationError(
            f"{len(bad)} bad rows of annotations:\n{listing}\nCorrect them, or drop them with "
            f"`--params annotate.on_bad_rows=drop`.{hint}"
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
        images_without_object=len(annotations.negatives),
        decisions=annotations.count_decisions(),
        images_per_class=dict(zip(class_names, counts.tolist(), strict=True)),
        relative_box_size={
            side: Range(min=float(values.min()), max=float(values.max()))
            for side, values in sides.items()
        },
    )
