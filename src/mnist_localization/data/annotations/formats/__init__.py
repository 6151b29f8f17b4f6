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
from mnist_localization.errors import AnnotationError
from mnist_localization.files import files_below
from mnist_localization.registry import load_module, module_names

AUTO = "auto"
_FOLDER = "data/annotations/formats"

Fault = Literal[
    "malformed row",
    "unknown label",
    "path outside the folder",
    "missing image",
    "unreadable image",
    "box outside the image",
    "invalid box",
    "image of another size",
    "several objects",
]


@dataclass(frozen=True, slots=True)
class RawRow:
    """One object as it is in an annotation file.

    Attributes:
        source: Name of the annotation file.
        line: Its line in the file, or the number of the object, from 1.
        file: Name of the image.
        label: Name or number of the class.
        box: Four numbers, in the box format of the annotations. An empty box without a label
            means an image without an object.
        size: Width and height of the image, if the file states them.
        other_file: A second name of the image, if the file has one.
        box_format: Format of this box, if the file states it.
        group: Name of the group of the image, if the file has one.
    """

    source: str
    line: int
    file: str
    label: str
    box: Sequence[str | float]
    size: tuple[float, float] | None = None
    other_file: str = ""
    box_format: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was done with a part of an annotation file that is no good and no bad row.

    Attributes:
        kind: What was done, such as "crowd ignored".
        file: Name of the image or of the annotation file.
    """

    kind: str
    file: str


@dataclass(frozen=True, slots=True)
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


Found = RawRow | BadRow | Decision


def annotation_files(folder: Path, suffix: str) -> list[Path]:
    """Return the files of a suffix, in any case, in a folder and its subfolders, sorted."""
    return [folder / name for name in sorted(files_below(folder)) if name.lower().endswith(suffix)]


def is_number(text: str) -> bool:
    """Return whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def stated_size(width: Any, height: Any) -> tuple[float, float] | None:
    """Return the size of an image in an annotation file, or `None` if it is not two numbers."""
    try:
        size = float(width), float(height)
    except (TypeError, ValueError, OverflowError):
        return None
    return size if all(0 < side < 10**6 for side in size) else None


@dataclass(frozen=True)
class ReadContext:
    """What a reader may need besides the path.

    Attributes:
        images: Names of the files in the folder of the images, relative to it.
        settings: The section `dataset.annotations`.
        class_names: Name of each class, in the order of the labels; empty if not yet known.
    """

    images: frozenset[str]
    settings: AnnotationSettings
    class_names: Sequence[str]


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
        matches: Returns whether a file or folder is of the format, for the format `auto`.
        is_general: Whether files of other formats match as well, which then take precedence.
        has_numbers: Whether labels are numbers of classes, also if a class has a number as name.
    """

    box_format: str | None
    read: Callable[[Path, ReadContext], Iterator[Found]]
    write: Callable[[pd.DataFrame, Sequence[str], ImageSettings], Any]
    matches: Callable[[Path], bool] | None = None
    is_general: bool = False
    has_numbers: bool = False


def load_format(name: str) -> AnnotationFormat:
    """Return a registered annotation format."""
    annotation_format: AnnotationFormat = load_module(_FOLDER, name).FORMAT
    return annotation_format


def choose_format(name: str, path: Path) -> tuple[str, AnnotationFormat]:
    """Return a format and its name; `auto` chooses the one that the annotation files have.

    Args:
        name: Name of a registered format, or `auto`.
        path: Annotation file or folder.

    Raises:
        AnnotationError: No format or more than one matches.
    """
    if name != AUTO:
        return name, load_format(name)
    known = module_names(_FOLDER)
    formats = {each: load_format(each) for each in known}
    found = [each for each, form in formats.items() if form.matches and form.matches(path)]
    # A general format matches the files of special ones as well.
    special = [each for each in found if not formats[each].is_general]
    found = special or found
    if len(found) != 1:
        matching = f"may be of the formats {', '.join(found)}" if found else "has no known format"
        raise AnnotationError(
            f"{path}: {matching}; set dataset.annotations.format to one of {', '.join(known)}"
        )
    return found[0], formats[found[0]]


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
