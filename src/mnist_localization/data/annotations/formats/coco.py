"""Annotations as COCO JSON: https://cocodataset.org/#format-data."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mnist_localization.data.annotations.table import BadRow, RawRow
from mnist_localization.errors import AnnotationError


def coco_rows(path: Path) -> Iterator[RawRow | BadRow]:
    """The objects of a COCO file; `line` counts its annotations from 1.

    The label is the name of the category, or its id where the file has no categories.

    Raises:
        AnnotationError: The file is no COCO JSON.
    """
    document = _document(path)
    files = {image.get("id"): image.get("file_name") for image in document["images"]}
    names = {category.get("id"): category.get("name") for category in document["categories"]}
    for number, annotation in enumerate(document["annotations"], start=1):
        file = files.get(annotation.get("image_id"))
        box, category = annotation.get("bbox"), annotation.get("category_id")
        label = names.get(category) if names else category
        if not isinstance(file, str):
            yield BadRow(path.name, number, f"no image has the id {annotation.get('image_id')!r}")
        elif not isinstance(box, list):
            yield BadRow(path.name, number, "the annotation has no bbox", "invalid box", file)
        elif label in (None, ""):
            # Its id is no label: ids may start anywhere.
            reason = f"no category with a name has the id {category!r}"
            yield BadRow(path.name, number, reason, "unknown label", file)
        else:
            yield RawRow(path.name, number, file, str(label), box)


def _document(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise AnnotationError(f"{path}: this is no JSON in UTF-8 ({error}); correct it") from error
    if not isinstance(document, dict):
        raise AnnotationError(
            f"{path}: COCO JSON is an object, this is a {type(document).__name__}"
        )
    found = {}
    for key in ("images", "annotations", "categories"):
        entries = document.get(key, [] if key == "categories" else None)
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise AnnotationError(f"{path}: COCO JSON needs {key!r}, a list of objects")
        found[key] = entries
    for entry in (*found["images"], *found["annotations"], *found["categories"]):
        for key in ("id", "image_id", "category_id"):
            if not isinstance(entry.get(key), int | str | None):
                said = f"{path}: {key} {entry[key]!r} is neither a whole number nor text"
                raise AnnotationError(said)
    return found
