"""The table of annotations, what may be wrong with its rows, and what is said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from mnist_localization.data.boxes import BOX_COLUMNS
from mnist_localization.errors import AnnotationError

COLUMNS = ("file", "label", *BOX_COLUMNS)

Fault = Literal[
    "malformed row",
    "unknown label",
    "path outside the folder",
    "missing image",
    "unreadable image",
    "box outside the image",
    "invalid box",
    "annotated twice",
]


@dataclass(frozen=True)
class RawRow:
    """One object as an annotation file says it.

    Attributes:
        source: Name of the annotation file.
        line: Its line there, or the number of the object, from 1.
        file: Name of the image.
        label: Name or number of the class.
        box: Four numbers, in the format of the annotations.
    """

    source: str
    line: int
    file: str
    label: str
    box: Sequence[str | float]


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        csv: Name of the annotation file.
        line: Its line number, or the number of the object, from 1.
        reason: What is wrong with it.
        fault: The kind of fault.
        file: Name of the image, where the row says one.
    """

    csv: str
    line: int
    reason: str
    fault: Fault = "malformed row"
    file: str = ""

    def __str__(self) -> str:
        return f"{self.csv}, line {self.line}: {self.reason}"


class RowError(Exception):
    """One row's fault; collected, not raised to the user."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault = fault


@dataclass(frozen=True)
class Annotations:
    """The rows of one split, sorted into good and bad.

    Attributes:
        table: Good rows, columns `file, label, xmin, ymin, xmax, ymax`; boxes relative.
        bad_rows: The others.
        unannotated_images: Number of images that no good row names.
    """

    table: pd.DataFrame
    bad_rows: tuple[BadRow, ...]
    unannotated_images: int


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
