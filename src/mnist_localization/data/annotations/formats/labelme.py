"""LabelMe: one JSON file per image, points of shapes in pixels."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

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
    predicted_boxes,
    stated_size,
    text_names,
)
from mnist_localization.data.annotations.formats._json import (
    as_dict,
    as_list,
    as_text,
    read_json,
    try_json,
)
from mnist_localization.data.boxes import image_sizes
from mnist_localization.data.images.decode import printable
from mnist_localization.errors import AnnotationError

_BOX_FORMAT = "xyxy"
_AROUND = ("polygon", "linestrip", "oriented_rectangle", "mask")
_DIGITS = 4


def matches(path: Path) -> bool:
    """Return whether a file, or one in a folder, has shapes and the path of an image."""
    files = annotation_files(path, ".json") if path.is_dir() else [path]
    return any(_is_labelme(try_json(file)) for file in files)


def read_rows(folder: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the shapes of a folder of LabelMe files; `line` counts those of a file from 1.

    Raises:
        AnnotationError: The folder has no JSON file.
    """
    paths = annotation_files(folder, ".json") if folder.is_dir() else [folder]
    if not paths:
        raise AnnotationError(f"{folder}: holds no .json file; LabelMe has one per image")
    for path in paths:
        relative = path.relative_to(folder) if folder.is_dir() else Path(path.name)
        source = printable(relative.as_posix())
        try:
            document = read_json(path)
        except AnnotationError as error:
            yield BadRow(source, 1, str(error))
            continue
        if _is_labelme(document):
            yield from _shapes(document, source)
        else:
            yield Decision("JSON file without shapes ignored", source)


def _is_labelme(document: Any) -> bool:
    found = as_dict(document)
    return isinstance(found.get("shapes"), list) and "imagePath" in found


def _shapes(document: dict[str, Any], source: str) -> Iterator[Found]:
    own_name = str(PurePosixPath(source).with_suffix(""))
    # The path is relative to the JSON file.
    name = PurePosixPath(as_text(document["imagePath"]).replace("\\", "/")).name
    file = (PurePosixPath(source).parent / name).as_posix() if name else ""
    size = stated_size(document.get("imageWidth"), document.get("imageHeight"))
    if not document["shapes"]:
        yield RawRow(source, 1, file, "", (), other_file=own_name)
    for number, shape in enumerate(map(as_dict, document["shapes"]), start=1):
        kind = shape.get("shape_type") or "polygon"
        try:
            box = _box_around(kind, [(float(x), float(y)) for x, y in as_list(shape["points"])])
        except (KeyError, TypeError, ValueError, OverflowError):
            reason = f"the shape {kind!r} has no box; draw a rectangle"
            yield BadRow(source, number, reason, "invalid box", file)
            continue
        if kind != "rectangle":
            yield Decision(f"box drawn around a {kind}", file)
        label = as_text(shape.get("label")).strip()
        yield RawRow(source, number, file, label, box, size, own_name)


def _box_around(kind: Any, points: Sequence[tuple[float, float]]) -> list[float]:
    if kind == "circle":  # its center and a point of its border
        (x, y), (border_x, border_y) = points
        radius = ((border_x - x) ** 2 + (border_y - y) ** 2) ** 0.5
        return [x - radius, y - radius, x + radius, y + radius]
    if kind != "rectangle" and kind not in _AROUND:
        raise ValueError(kind)
    xs, ys = zip(*points, strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return the predicted boxes as one LabelMe document per image, texts by file name."""
    files = predictions["file"].tolist()
    sizes = zip(*image_sizes(predictions, image.height, image.width), strict=True)
    boxes = predicted_boxes(predictions, _BOX_FORMAT, image).round(_DIGITS).tolist()
    texts = [
        json.dumps(
            {
                "version": "5.0.0",
                "flags": {},
                "shapes": [
                    {
                        "label": class_names[label],
                        "points": [box[:2], box[2:]],
                        "group_id": None,
                        "shape_type": "rectangle",
                        "flags": {},
                    }
                ],
                "imagePath": PurePosixPath(file).name,
                "imageData": None,
                "imageHeight": int(height),
                "imageWidth": int(width),
            },
            indent=1,
            ensure_ascii=False,
        )
        for file, (height, width), label, box in zip(
            files, sizes, predictions["predicted_label"], boxes, strict=True
        )
    ]
    return dict(zip(text_names(files, ".json"), texts, strict=True))


FORMAT = AnnotationFormat(
    box_format=_BOX_FORMAT, read=read_rows, write=write_predictions, matches=matches
)
