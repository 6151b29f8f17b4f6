"""Label Studio: a list of tasks as JSON, JSON-MIN or CSV, boxes in percent of the image."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    BadRow,
    Decision,
    Found,
    RawRow,
    ReadContext,
    predicted_boxes,
)
from mnist_localization.data.annotations.formats._json import (
    as_dict,
    as_list,
    as_text,
    read_json,
    try_json,
)
from mnist_localization.data.annotations.formats._table import has_columns, read_table
from mnist_localization.data.boxes import image_sizes
from mnist_localization.errors import AnnotationError

_BOX_FORMAT = "rel_xywh"
_SIDES = ("x", "y", "width", "height")
# Columns of a short export.
_COLUMNS = ("annotator", "annotation_id", "created_at")
# Results that describe an image or a region, and are no region.
_NO_REGIONS = ("labels", "choices", "textarea", "taxonomy", "rating", "number", "relation")
# Label Studio puts a random text before the name of an uploaded file.
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
_DIGITS = 6


def matches(path: Path) -> bool:
    """Return whether a file is a list of tasks."""
    if path.suffix.lower() == ".csv":
        return has_columns(path, ",", _COLUMNS)
    first = as_dict(next(iter(as_list(try_json(path))), None))
    return isinstance(first.get("data"), dict) or all(name in first for name in _COLUMNS)


def read_rows(path: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the objects of the tasks; `line` counts the tasks from 1.

    Of several annotations of a task, the first that was not canceled is read. A task without
    annotations is read from its predictions.

    Raises:
        AnnotationError: The file is not a list of tasks.
    """
    if path.suffix.lower() == ".csv":
        for found in read_table(path, ",", _COLUMNS):
            if isinstance(found, BadRow):
                yield found
            else:
                yield from _read_short_task(found[1], path.name, found[0])
        return
    document = read_json(path)
    if not isinstance(document, list):
        raise AnnotationError(f"{path}: a Label Studio export must be a list of tasks")
    for number, task in enumerate(map(as_dict, document), start=1):
        is_short = "data" not in task
        yield from (_read_short_task if is_short else _read_task)(task, path.name, number)


def _read_short_task(task: Mapping[str, Any], source: str, number: int) -> Iterator[Found]:
    """Yield the objects of a task of the exports JSON-MIN and CSV: names and their values."""
    values = {name: _parsed(value) for name, value in task.items()}
    items = [item for value in values.values() for item in as_list(value)]
    regions = [item for item in items if isinstance(item, dict)]
    data = {name: value for name, value in values.items() if name not in (*_COLUMNS, "id")}
    result = [{"type": _kind_of(region), "value": region} for region in regions]
    yield from _read_task({"data": data, "annotations": [{"result": result}]}, source, number)


def _parsed(value: Any) -> Any:
    """Return the list that a cell has as JSON, and anything else as it is."""
    if isinstance(value, str) and value.startswith("["):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def _kind_of(region: dict[str, Any]) -> str:
    return next((name for name in region if name.endswith("labels")), "rectangle")


def _read_task(task: dict[str, Any], source: str, number: int) -> Iterator[Found]:
    file, other_file = _names_of(as_dict(task.get("data")))
    annotations = [as_dict(it) for it in as_list(task.get("annotations"))]
    annotations = [it for it in annotations if not it.get("was_cancelled")]
    if not annotations and as_list(task.get("predictions")):
        annotations = [as_dict(task["predictions"][0])]
        yield Decision("prediction used as annotation", file)
    if not file:
        yield BadRow(source, number, "the task has no image")
        return
    if not annotations:
        return  # not annotated yet
    if len(annotations) > 1:
        yield Decision("further annotation of a task ignored", file)
    results = [as_dict(it) for it in as_list(annotations[0].get("result"))]
    # Labels of a tag of their own, by the id of the region.
    given = {
        as_text(it.get("id")): as_dict(it.get("value")).get("labels")
        for it in results
        if it.get("type") == "labels"
    }
    regions = [it for it in results if it.get("type") not in _NO_REGIONS]
    if not regions:
        yield RawRow(source, number, file, "", (), other_file=other_file)
    for region in regions:
        kind, value = str(region.get("type")), as_dict(region.get("value"))
        names = as_list(value.get(kind) or given.get(as_text(region.get("id"))))
        try:
            box = _box_of(value, kind)
            if len(names) > 1:
                raise ValueError(f"the box has {len(names)} labels, expected 1")
        except ValueError as error:
            yield BadRow(source, number, str(error), "invalid box", file)
            continue
        if "points" in value:
            yield Decision("box drawn around a polygon", file)
        label = as_text(names[0]) if names else ""
        yield RawRow(source, number, file, label, box, other_file=other_file)


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return tasks with the predicted boxes, which Label Studio imports as pre-annotations.

    Returns:
        `tasks.json`, by its name.
    """
    sizes = zip(*image_sizes(predictions, image.height, image.width), strict=True)
    boxes = (100 * predicted_boxes(predictions, _BOX_FORMAT, image)).round(_DIGITS).tolist()
    labels, scores = predictions["predicted_label"], predictions["confidence"]
    tasks = [
        {
            "data": {"image": file},
            "predictions": [
                {
                    "score": score,
                    "result": [
                        {
                            "type": "rectanglelabels",
                            "from_name": "label",
                            "to_name": "image",
                            "original_width": int(width),
                            "original_height": int(height),
                            "value": {
                                **dict(zip(_SIDES, box, strict=True)),
                                "rotation": 0,
                                "rectanglelabels": [class_names[label]],
                            },
                        }
                    ],
                }
            ],
        }
        for file, (height, width), label, box, score in zip(
            predictions["file"], sizes, labels, boxes, scores, strict=True
        )
    ]
    return {"tasks.json": json.dumps(tasks, indent=1, ensure_ascii=False)}


def _names_of(data: dict[str, Any]) -> tuple[str, str]:
    """Return the name of the image of a task, and its name before the upload."""
    values = [data.get("image"), data.get("img"), *data.values()]
    address = next((value for value in values if isinstance(value, str) and value), "")
    if "://" not in address and not address.startswith("/data/"):
        return address, ""
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d", [""])[0]
    name = local or unquote(parts.path).removeprefix("/data/upload/").lstrip("/")
    last = name.rpartition("/")[2]
    return name, _UPLOAD.sub("", last) if _UPLOAD.match(last) else ""


def _box_of(value: dict[str, Any], kind: str) -> list[float]:
    """Return the box of a rectangle or around a polygon, as shares of the image."""
    if value.get("rotation"):
        raise ValueError(f"the box is rotated by {value['rotation']} degrees; draw it upright")
    try:
        if "points" in value:
            xs, ys = zip(*[(float(x), float(y)) for x, y in value["points"]], strict=True)
            sides = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        else:
            sides = [float(value[side]) for side in _SIDES]
    except (TypeError, ValueError, KeyError, OverflowError):
        raise ValueError(f"a region of the type {kind!r} has no box; draw a rectangle") from None
    return [side / 100 for side in sides]


FORMAT = AnnotationFormat(
    box_format=_BOX_FORMAT, read=read_rows, write=write_predictions, matches=matches
)
