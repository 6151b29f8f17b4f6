"""Box records as W&B images: boxes that can be toggled, filtered by class and by score."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mnist_localization.config.results import WANDB_MAX_IMAGES
from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage, Box


def overlay(record: AnnotatedImage, class_names: Sequence[str]) -> Any:
    """One record as a `wandb.Image` with a layer of boxes for each of its sets.

    Args:
        record: A checked record.
        class_names: Name of each class, in the order of the labels.
    """
    import wandb

    labels = dict(enumerate(class_names))
    return wandb.Image(
        record.image,
        caption=caption(record, class_names),
        boxes={
            name: {"box_data": [_box(box, labels) for box in boxes], "class_labels": labels}
            for name, boxes in record.box_layers.items()
        },
    )


def overlays(records: Sequence[AnnotatedImage], class_names: Sequence[str]) -> list[Any]:
    """The records as `wandb.Image`s of one size, as many as W&B shows of a list."""
    return [overlay(record, class_names) for record in _on_one_canvas(records[:WANDB_MAX_IMAGES])]


def _on_one_canvas(records: Sequence[AnnotatedImage]) -> list[AnnotatedImage]:
    """Records whose images have one size, padded below and on the right: W&B asks for that."""
    if len({record.image.shape for record in records}) <= 1:
        return list(records)
    height, width = (max(record.image.shape[axis] for record in records) for axis in (0, 1))
    return [_padded(record, height, width) for record in records]


def _padded(record: AnnotatedImage, height: int, width: int) -> AnnotatedImage:
    rows, columns, _ = record.image.shape
    image = np.pad(record.image, ((0, height - rows), (0, width - columns), (0, 0)))
    sets = {
        name: tuple(_scaled(box, columns / width, rows / height) for box in boxes)
        for name, boxes in record.box_layers.items()
    }
    return replace(record, image=image, box_layers=sets)


def _scaled(box: Box, x: float, y: float) -> Box:
    xmin, ymin, xmax, ymax = box.corners
    return replace(box, corners=(xmin * x, ymin * y, xmax * x, ymax * y))


def caption(record: AnnotatedImage, class_names: Sequence[str]) -> str:
    """File, true and predicted classes with their scores, in one line."""
    parts = [record.file]
    for name, said in ((GROUND_TRUTH, "true"), (PREDICTIONS, "predicted")):
        for box in record.box_layers.get(name, ()):
            scores = ", ".join(f"{score} {value:.3f}" for score, value in box.scores.items())
            parts.append(f"{said} {class_names[box.class_id]}" + (f" ({scores})" if scores else ""))
    return " | ".join(parts)


def _box(box: Box, labels: dict[int, str]) -> dict[str, Any]:
    names = ("minX", "minY", "maxX", "maxY")
    drawn: dict[str, Any] = {
        "position": dict(zip(names, map(float, box.corners), strict=True)),
        "class_id": int(box.class_id),
        "box_caption": labels[box.class_id],
    }
    if box.scores:
        drawn["scores"] = {name: float(value) for name, value in box.scores.items()}
    return drawn
