"""Label Studio: one JSON list of tasks, boxes in percent of the image."""

import json
import re
from collections.abc import Iterator, Sequence
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
from mnist_localization.data.boxes import image_sizes
from mnist_localization.errors import AnnotationError

_BOX_FORMAT = "rel_xywh"
_SIDES = ("x", "y", "width", "height")
# Label Studio puts a random text before the name of an uploaded file.
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
_DIGITS = 6


def matches(path: Path) -> bool:
    """Return whether a file is a list of tasks."""
    first = as_dict(next(iter(as_list(try_json(path))), None))
    return isinstance(first.get("data"), dict)


def read_rows(path: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the objects of the tasks; `line` counts the tasks from 1.

    Of several annotations of a task, the first that was not canceled is read. A task without
    annotations is read from its predictions.

    Raises:
        AnnotationError: The file is not a JSON list.
    """
    document = read_json(path)
    if not isinstance(document, list):
        raise AnnotationError(
            f"{path}: a Label Studio export must be a list of tasks; export it as JSON, not as "
            "JSON-MIN"
        )
    for number, task in enumerate(document, start=1):
        yield from _read_task(as_dict(task), path.name, number)


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
    boxes = [it for it in results if it.get("type") in ("rectanglelabels", "rectangle")]
    if not boxes:
        yield RawRow(source, number, file, "", (), other_file=other_file)
    for result in boxes:
        value = as_dict(result.get("value"))
        labels = [as_text(it) for it in as_list(value.get("rectanglelabels"))]
        if value.get("rotation"):
            reason = f"the box is rotated by {value['rotation']} degrees; draw it upright"
            yield BadRow(source, number, reason, "invalid box", file)
        elif len(labels) != 1:
            reason = f"the box has {len(labels)} labels, expected 1"
            yield BadRow(source, number, reason, "unknown label", file)
        else:
            box = [_share(value.get(side)) for side in _SIDES]
            yield RawRow(source, number, file, labels[0], box, other_file=other_file)


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


def _share(value: Any) -> Any:
    """Return a percentage as a share, and anything else as it is."""
    return value / 100 if isinstance(value, int | float) else "?"


FORMAT = AnnotationFormat(
    box_format=_BOX_FORMAT, read=read_rows, write=write_predictions, matches=matches
)
