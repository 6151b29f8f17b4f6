"""Registry of annotation formats: each module defines one constant `FORMAT`."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pandas as pd

from mnist_localization.config.data import AnnotationSettings, ImageSettings
from mnist_localization.data.boxes import (
    PREDICTED_BOX_COLUMNS,
    FloatArray,
    from_relative_corners,
    image_sizes,
)
from mnist_localization.registry import load_module

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
    """One object as it is in an annotation file.

    Attributes:
        source: Name of the annotation file.
        line: Its line in the file, or the number of the object, from 1.
        file: Name of the image.
        label: Name or number of the class.
        box: Four numbers, in the box format of the annotations.
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
        source: Name of the annotation file.
        line: Its line in the file, or the number of the object, from 1.
        reason: Description of the fault.
        fault: Kind of the fault.
        file: Name of the image, if the row has one.
    """

    source: str
    line: int
    reason: str
    fault: Fault = "malformed row"
    file: str = ""

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}: {self.reason}"


@dataclass(frozen=True)
class ReadContext:
    """What a reader may need besides the path.

    Attributes:
        images: Names of the files in the folder of the images, relative to it.
        settings: The section `dataset.annotations`.
    """

    images: frozenset[str]
    settings: AnnotationSettings


@dataclass(frozen=True)
class AnnotationFormat:
    """Contract of an annotation format.

    Attributes:
        box_format: Format of the boxes, named as in `keras.utils.bounding_boxes`; `None` if
            `dataset.annotations.csv_boxes` names it.
        read: Yields the objects of an annotation file or folder. Raises `AnnotationError` if it
            is not of the format.
        write: Returns what the dataset `predictions_<name>` saves, from the table `predictions`,
            the class names and the shape of the images: texts by file name, or a JSON document.
    """

    box_format: str | None
    read: Callable[[Path, ReadContext], Iterator[RawRow | BadRow]]
    write: Callable[[pd.DataFrame, Sequence[str], ImageSettings], Any]


def load_format(name: str) -> AnnotationFormat:
    """Return a registered annotation format."""
    annotation_format: AnnotationFormat = load_module("data/annotations/formats", name).FORMAT
    return annotation_format


def predicted_boxes(predictions: pd.DataFrame, box_format: str, image: ImageSettings) -> FloatArray:
    """Return the predicted boxes of the table `predictions` in a box format, `[n, 4]`."""
    corners = predictions[list(PREDICTED_BOX_COLUMNS)].to_numpy()
    sizes = image_sizes(predictions, image.height, image.width)
    return from_relative_corners(corners, box_format, *sizes)


def text_names(files: Sequence[str], suffix: str) -> list[str]:
    """Return the name of the annotation file of each image.

    Args:
        files: Names of the images.
        suffix: Suffix of the annotation files. It replaces that of the image, or is appended if
            two images differ in their suffix only.
    """
    stems = [str(PurePosixPath(file).with_suffix("")) for file in files]
    counts = Counter(stems)
    return [
        (stem if counts[stem] == 1 else file) + suffix
        for file, stem in zip(files, stems, strict=True)
    ]
