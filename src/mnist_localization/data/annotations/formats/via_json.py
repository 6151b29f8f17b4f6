"""VGG Image Annotator (VIA), JSON: a project or its exported annotations, boxes in pixels."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    BadRow,
    Found,
    RawRow,
    ReadContext,
    predicted_boxes,
)
from mnist_localization.data.annotations.formats._json import as_dict, as_text, read_json, try_json
from mnist_localization.data.annotations.formats._via import BOX_FORMAT, SIDES, read_region
from mnist_localization.errors import AnnotationError

_DIGITS = 4


def matches(path: Path) -> bool:
    """Return whether a file has images with regions."""
    images = _images_of(try_json(path))
    first = as_dict(next(iter(images.values()), None))
    return "regions" in first and "filename" in first


def read_rows(path: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the regions of all images; `line` counts the images from 1.

    Raises:
        AnnotationError: The file is not a JSON object.
    """
    document = read_json(path)
    if not isinstance(document, dict):
        raise AnnotationError(f"{path}: VIA JSON must be an object; correct the format")
    for number, entry in enumerate(_images_of(document).values(), start=1):
        image = as_dict(entry)
        file, regions = as_text(image.get("filename")), image.get("regions")
        if isinstance(regions, dict):  # of version 1
            regions = list(regions.values())
        if not file or not isinstance(regions, list):
            yield BadRow(path.name, number, "the image has no name or no regions", file=file)
            continue
        if not regions:
            yield RawRow(path.name, number, file, "", ())
        for region in map(as_dict, regions):
            shape, attributes = region.get("shape_attributes"), region.get("region_attributes")
            yield from read_region(path.name, number, file, shape, attributes)


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return the predicted boxes as annotations that VIA imports, by their file name."""
    boxes = predicted_boxes(predictions, BOX_FORMAT, image).round(_DIGITS).tolist()
    rows = zip(predictions["file"], predictions["predicted_label"], boxes, strict=True)
    document = {
        f"{file}-1": {
            "filename": file,
            "size": -1,
            "regions": [
                {
                    "shape_attributes": {"name": "rect", **dict(zip(SIDES, box, strict=True))},
                    "region_attributes": {"label": class_names[label]},
                }
            ],
            "file_attributes": {},
        }
        for file, label, box in rows
    }
    return {"via.json": json.dumps(document, indent=1, ensure_ascii=False)}


def _images_of(document: Any) -> dict[str, Any]:
    found = as_dict(document)
    return as_dict(found["_via_img_metadata"]) if "_via_img_metadata" in found else found


FORMAT = AnnotationFormat(
    box_format=BOX_FORMAT, read=read_rows, write=write_predictions, matches=matches
)
