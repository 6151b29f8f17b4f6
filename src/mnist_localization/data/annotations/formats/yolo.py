"""YOLO: one text file per image, lines `class x y width height`, centers and sizes relative."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    BadRow,
    Decision,
    Found,
    RawRow,
    ReadContext,
    annotation_files,
    is_number,
    predicted_boxes,
    text_names,
)
from mnist_localization.data.images.decode import has_image_suffix, printable
from mnist_localization.errors import AnnotationError, UnreadableError

_BOX_FORMAT = "rel_center_xywh"
# Class names, which some tools write to the folder of the annotations.
_CLASS_FILES = ("classes.txt", "obj.names.txt")


def matches(path: Path) -> bool:
    """Return whether a folder has a text file that starts with a class and a box."""
    if not path.is_dir():
        return False
    return any(map(_has_boxes, annotation_files(path, ".txt")))


def read_rows(folder: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the objects of a folder of YOLO text files.

    Args:
        folder: Folder of the text files, named as the images, subfolders included.
        context: Gives the names of the images.

    Raises:
        AnnotationError: The folder has no text file.
    """
    by_stem: dict[str, list[str]] = {}
    for name in sorted(context.images):
        if has_image_suffix(name):
            by_stem.setdefault(str(PurePosixPath(name).with_suffix("")), []).append(name)
    texts = [path for path in annotation_files(folder, ".txt") if path.name not in _CLASS_FILES]
    if not texts:
        raise AnnotationError(f"{folder}: holds no .txt file; YOLO has one per image")
    for path in texts:
        relative = path.relative_to(folder)
        source = printable(relative.as_posix())
        stem = relative.with_suffix("").as_posix()
        candidates = by_stem.get(stem, [])
        if len(candidates) > 1:
            reason = f"one image must have this name, found {', '.join(candidates)}"
            yield BadRow(source, 1, reason, "missing image")
            continue
        try:
            lines = _lines(path)
        except AnnotationError as error:
            yield BadRow(source, 1, str(error))
            continue
        if not candidates and not _is_yolo(lines):
            yield Decision("text file without boxes ignored", source)
        else:
            yield from _objects(lines, source, candidates[0] if candidates else stem)


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return the predicted boxes as one YOLO text per image.

    Args:
        predictions: The table `predictions`.
        class_names: Not used; YOLO files have the labels.
        image: Not used; YOLO boxes are relative.

    Returns:
        Texts by file name.
    """
    boxes = predicted_boxes(predictions, _BOX_FORMAT, image).tolist()
    labels = predictions["predicted_label"].tolist()
    lines = [
        " ".join([str(label), *(f"{value:.8f}" for value in box)]) + "\n"
        for label, box in zip(labels, boxes, strict=True)
    ]
    return dict(zip(text_names(predictions["file"].tolist(), ".txt"), lines, strict=True))


def _has_boxes(path: Path) -> bool:
    try:
        return _is_yolo(_lines(path))
    except UnreadableError:
        raise
    except AnnotationError:
        return False


def _lines(path: Path) -> list[list[str]]:
    """Return the cells of each line."""
    try:
        return [line.split() for line in path.read_text("utf-8-sig").splitlines()]
    except OSError as error:
        raise UnreadableError(path.name, error) from error
    except UnicodeDecodeError as error:
        raise AnnotationError("not valid UTF-8 text; correct it") from error


def _is_yolo(lines: list[list[str]]) -> bool:
    """Return whether the first line that is not empty starts with numbers."""
    first = next(filter(None, lines), [])
    return len(first) >= 5 and all(map(is_number, first[:5]))


def _objects(lines: list[list[str]], source: str, image: str) -> Iterator[Found]:
    if not any(lines):
        yield RawRow(source, 1, image, "", ())
    for number, cells in enumerate(lines, start=1):
        if len(cells) == 5:
            yield RawRow(source, number, image, cells[0], cells[1:])
        elif len(cells) == 6:
            yield Decision("confidence of a box ignored", image)
            yield RawRow(source, number, image, cells[0], cells[1:5])
        elif len(cells) > 6 and len(cells) % 2 == 1 and all(map(is_number, cells)):
            yield Decision("box drawn around a polygon", image)
            points = [float(cell) for cell in cells[1:]]
            xs, ys = points[::2], points[1::2]
            box = [min(xs), min(ys), max(xs), max(ys)]
            yield RawRow(source, number, image, cells[0], box, box_format="rel_xyxy")
        elif cells:
            reason = (
                f"{len(cells)} values, expected 5 (class x y width height) or a class and the "
                "corners of a polygon"
            )
            yield BadRow(source, number, reason, file=image)


FORMAT = AnnotationFormat(
    box_format=_BOX_FORMAT,
    read=read_rows,
    write=write_predictions,
    matches=matches,
    has_numbers=True,
)
