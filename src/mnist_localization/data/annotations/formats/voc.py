"""Annotations as Pascal VOC XML: one file for each image, corners in pixels."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from mnist_localization.data.annotations.table import BadRow, RawRow
from mnist_localization.data.images.decode import printable
from mnist_localization.errors import AnnotationError

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_MOST_BYTES = 2**20


def voc_rows(folder: Path) -> Iterator[RawRow | BadRow]:
    """The objects of a folder of Pascal VOC files; `line` counts the objects of each from 1.

    Raises:
        AnnotationError: There is no such file, or one is no XML, declares a document type
            (the way to entities and to other files), or is larger than 1 MiB.
    """
    paths = sorted(folder.rglob("*.xml"))
    if not paths:
        raise AnnotationError(f"{folder}: holds no .xml file; Pascal VOC has one for each image")
    for path in paths:
        source = printable(path.relative_to(folder).as_posix())
        root = _parsed(path)
        file = (root.findtext("filename") or "").strip()
        for number, found in enumerate(root.iter("object"), start=1):
            label = (found.findtext("name") or "").strip()
            box = [(found.findtext(f"bndbox/{name}") or "").strip() for name in _CORNERS]
            yield RawRow(source, number, file, label, box)


def _parsed(path: Path) -> Element:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise AnnotationError(f"{path}: larger than 1 MiB, too large for the XML of one image")
        text = path.read_bytes()
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror})") from error
    builder = TreeBuilder()
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise AnnotationError(
            f"{path}: declares a document type, which annotations do not need; remove its "
            "<!DOCTYPE ...>"
        )

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise AnnotationError(f"{path}: this is no XML ({error}); correct it") from error
    return builder.close()
