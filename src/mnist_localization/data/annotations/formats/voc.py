"""Pascal VOC: one XML file per image, corners in pixels."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, ParseError, SubElement, indent, tostring

import pandas as pd
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    BadRow,
    Found,
    RawRow,
    ReadContext,
    annotation_files,
    predicted_boxes,
    stated_size,
    text_names,
)
from mnist_localization.data.boxes import BOX_COLUMNS, image_sizes
from mnist_localization.data.images.decode import printable
from mnist_localization.errors import AnnotationError, UnreadableError

_BOX_FORMAT = "xyxy"
_MAX_BYTES = 2**20
_DECLARATION = re.compile(
    r"""<\?xml\s(?:[^>]*?encoding\s*=\s*["'](?P<encoding>[\w.-]+)["'])?[^>]*\?>"""
)
_MAX_DECLARATION = 200
# Ten-thousandths of a pixel; the rest is rounding.
_DIGITS = 4


def matches(path: Path) -> bool:
    """Return whether a folder has XML files."""
    return path.is_dir() and bool(annotation_files(path, ".xml"))


def read_rows(folder: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the objects of a folder of Pascal VOC files; `line` counts those of a file from 1.

    Args:
        folder: Folder of the XML files, subfolders included.
        context: Not used.

    Raises:
        AnnotationError: The folder has no XML file.
    """
    paths = annotation_files(folder, ".xml")
    if not paths:
        raise AnnotationError(f"{folder}: holds no .xml file; Pascal VOC has one per image")
    for path in paths:
        source = printable(path.relative_to(folder).as_posix())
        try:
            yield from _objects(_parse(path), source)
        except AnnotationError as error:
            yield BadRow(source, 1, str(error))


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return the predicted boxes as one Pascal VOC XML per image.

    Args:
        predictions: The table `predictions`.
        class_names: Name of each class, in the order of the labels.
        image: Gives the channels, and the size of the images if the table does not have it.

    Returns:
        Texts by file name.
    """
    files = predictions["file"].tolist()
    heights, widths = image_sizes(predictions, image.height, image.width)
    labels = predictions["predicted_label"].tolist()
    boxes = predicted_boxes(predictions, _BOX_FORMAT, image).round(_DIGITS).tolist()
    texts = [
        _text(file, (width, height, image.channels), class_names[label], box)
        for file, width, height, label, box in zip(
            files, widths.tolist(), heights.tolist(), labels, boxes, strict=True
        )
    ]
    return dict(zip(text_names(files, ".xml"), texts, strict=True))


def _objects(root: Element, source: str) -> Iterator[RawRow]:
    own_name = str(PurePosixPath(source).with_suffix(""))
    file = (root.findtext("filename") or "").strip() or own_name
    size = stated_size(root.findtext("size/width"), root.findtext("size/height"))
    items = list(root.iter("object"))
    if not items:
        yield RawRow(source, 1, file, "", (), other_file=own_name)
    for number, item in enumerate(items, start=1):
        label = (item.findtext("name") or "").strip()
        box = [(item.findtext(f"bndbox/{name}") or "").strip() for name in BOX_COLUMNS]
        yield RawRow(source, number, file, label, box, size, own_name)


def _parse(path: Path) -> Element:
    """Return the root of an XML file without a document type.

    A document type could define entities or refer to other files.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise AnnotationError("larger than 1 MiB, too large for the XML of one image")
        root: Element = fromstring(_without_declaration(path.read_bytes()), forbid_dtd=True)
    except OSError as error:
        raise UnreadableError(path.name, error) from error
    except DefusedXmlException as error:
        raise AnnotationError(
            "declares a document type, which annotations do not need; remove its <!DOCTYPE ...>"
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise AnnotationError(f"not valid XML ({error}); correct it") from error
    return root


def _without_declaration(content: bytes) -> str | bytes:
    """Return XML as text without its declaration, so that any encoding of Python can be read."""
    content = content.strip()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _DECLARATION.sub("", content.decode("utf-16").lstrip())
    text = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    found = _DECLARATION.match(text[:_MAX_DECLARATION].decode("ascii", "replace"))
    encoding = found["encoding"] if found else None
    return _DECLARATION.sub("", text.decode(encoding or "utf-8"))


def _text(file: str, size: tuple[int, int, int], label: str, box: Sequence[float]) -> str:
    root = Element("annotation")
    SubElement(root, "filename").text = file
    dimensions = SubElement(root, "size")
    for name, value in zip(("width", "height", "depth"), size, strict=True):
        SubElement(dimensions, name).text = str(value)
    item = SubElement(root, "object")
    SubElement(item, "name").text = label
    corners = SubElement(item, "bndbox")
    for name, corner in zip(BOX_COLUMNS, box, strict=True):
        SubElement(corners, name).text = f"{corner:g}" if corner.is_integer() else str(corner)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


FORMAT = AnnotationFormat(
    box_format=_BOX_FORMAT, read=read_rows, write=write_predictions, matches=matches
)
