"""YOLO: one text file per image, lines `class x y width height`, centers and sizes relative."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    BadRow,
    RawRow,
    ReadContext,
    predicted_boxes,
    text_names,
)
from mnist_localization.data.images.decode import has_image_suffix, printable
from mnist_localization.errors import AnnotationError

_BOX_FORMAT = "rel_center_xywh"
# Class names, which some tools write to the folder of the annotations.
_CLASS_FILES = ("classes.txt", "obj.names.txt")


def read_rows(folder: Path, context: ReadContext) -> Iterator[RawRow | BadRow]:
    """Yield the objects of a folder of YOLO text files.

    Args:
        folder: Folder of the text files, named as the images, subfolders included.
        context: Gives the names of the images.

    Raises:
        AnnotationError: The folder has no text file, or one is not UTF-8 text.
    """
    by_stem: dict[str, list[str]] = {}
    for name in sorted(context.images):
        if has_image_suffix(name):
            by_stem.setdefault(str(PurePosixPath(name).with_suffix("")), []).append(name)
    texts = [path for path in sorted(folder.rglob("*.txt")) if path.name not in _CLASS_FILES]
    if not texts:
        raise AnnotationError(f"{folder}: holds no .txt file; YOLO has one per image")
    for path in texts:
        relative = path.relative_to(folder)
        source = printable(relative.as_posix())
        candidates = by_stem.get(relative.with_suffix("").as_posix(), [])
        if len(candidates) == 1:
            yield from _objects(path, source, candidates[0])
        else:
            reason = f"one image must have this name, found {', '.join(candidates) or 'none'}"
            yield BadRow(source, 1, reason, "missing image")


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


def _objects(path: Path, source: str, image: str) -> Iterator[RawRow | BadRow]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path}: not valid UTF-8 text ({error}); correct it") from error
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        if len(cells) == 5:
            yield RawRow(source, number, image, cells[0], cells[1:])
        elif cells:
            reason = f"{len(cells)} values, expected 5: class x y width height"
            yield BadRow(source, number, reason, file=image)


FORMAT = AnnotationFormat(box_format=_BOX_FORMAT, read=read_rows, write=write_predictions)
