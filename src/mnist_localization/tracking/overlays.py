"""Annotated images as W&B images, whose boxes can be shown, hidden and filtered by score."""

from collections.abc import Sequence
from typing import Any

from mnist_localization.config.results import WANDB_MAX_IMAGES
from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage, Box


def overlay(annotated: AnnotatedImage, class_names: Sequence[str]) -> Any:
    """Return a validated image as a `wandb.Image` with its layers of boxes."""
    import wandb

    labels = dict(enumerate(class_names))
    return wandb.Image(
        annotated.image,
        caption=_caption(annotated, class_names),
        boxes={
            name: {"box_data": [_box(box, labels) for box in boxes], "class_labels": labels}
            for name, boxes in annotated.box_layers.items()
        },
    )


def overlays(annotated: Sequence[AnnotatedImage], class_names: Sequence[str]) -> list[Any]:
    """Return images as `wandb.Image`s of one size, at most as many as W&B shows."""
    images = annotated[:WANDB_MAX_IMAGES]
    height, width = (max(each.image.shape[axis] for each in images) for axis in (0, 1))
    return [overlay(each.padded(height, width), class_names) for each in images]


def _caption(annotated: AnnotatedImage, class_names: Sequence[str]) -> str:
    """Return file, true and predicted classes with their scores, in one line."""
    parts = [annotated.file]
    for name, word in ((GROUND_TRUTH, "true"), (PREDICTIONS, "predicted")):
        for box in annotated.box_layers.get(name, ()):
            scores = ", ".join(f"{score} {value:.3f}" for score, value in box.scores.items())
            parts.append(f"{word} {class_names[box.class_id]}" + (f" ({scores})" if scores else ""))
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
