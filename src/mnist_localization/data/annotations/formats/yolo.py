"""Annotations as YOLO text files: one for each image, `class x y width height`, relative."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mnist_localization.data.annotations.table import BadRow, RawRow
from mnist_localization.data.images import SUFFIXES
from mnist_localization.data.images.decode import printable
from mnist_localization.errors import AnnotationError

# Names of the classes, as some tools leave them among the annotations.
_NO_ANNOTATIONS = ("classes.txt", "obj.names.txt")


def yolo_rows(folder: Path, images: frozenset[str]) -> Iterator[RawRow | BadRow]:
    """The objects of a folder of YOLO text files.

    Args:
        folder: The text files, named as the images are; sub-folders match too.
        images: Names of the images, relative to their folder.

    Raises:
        AnnotationError: There is no such file, or one is no text in UTF-8.
    """
    by_stem: dict[str, list[str]] = {}
    for name in sorted(images):
        image = PurePosixPath(name)
        if image.suffix.lower() in SUFFIXES:
            by_stem.setdefault(str(image.with_suffix("")), []).append(name)
    texts = [path for path in sorted(folder.rglob("*.txt")) if path.name not in _NO_ANNOTATIONS]
    if not texts:
        raise AnnotationError(f"{folder}: holds no .txt file; YOLO has one for each image")
    for path in texts:
        below = path.relative_to(folder)
        source = printable(below.as_posix())
        candidates = by_stem.get(below.with_suffix("").as_posix(), [])
        if len(candidates) != 1:
            found = ", ".join(candidates) or "none"
            yield BadRow(
                source, 1, f"one image must have this name, found {found}", "missing image"
            )
            continue
        yield from _objects(path, source, candidates[0])


def _objects(path: Path, source: str, image: str) -> Iterator[RawRow | BadRow]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path}: this is no text in UTF-8 ({error}); correct it") from error
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        if len(cells) == 5:
            yield RawRow(source, number, image, cells[0], cells[1:])
        elif cells:
            yield BadRow(
                source,
                number,
                f"{len(cells)} values, expected 5: class x y width height",
                file=image,
            )
