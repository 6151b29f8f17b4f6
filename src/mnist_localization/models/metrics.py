"""Metrics of the heads during training, and geometry of boxes shared with the losses."""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mnist_localization")
class MeanBoxIoU(keras.metrics.MeanMetricWrapper):
    """Mean intersection over union (IoU) of predicted and annotated boxes, in [0, 1].

    Args:
        name: Name in the logs.
        **kwargs: Arguments of `keras.metrics.Metric`.
    """

    def __init__(self, name: str = "mean_iou", **kwargs: Any) -> None:
        super().__init__(paired_iou, name=name, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal metric."""
        return {"name": self.name, "dtype": self.dtype}


def paired_iou(boxes: Any, others: Any) -> Any:
    """Return the intersection over union (IoU) of each pair of boxes.

    Args:
        boxes: Corners `[batch, 4]`.
        others: Corners `[batch, 4]`.

    Returns:
        IoU in [0, 1], `[batch]`; 0 if the union has no area.
    """
    boxes, others = ops.cast(boxes, "float32"), ops.cast(others, "float32")
    low = ops.maximum(boxes[:, :2], others[:, :2])
    high = ops.minimum(boxes[:, 2:], others[:, 2:])
    intersection = ops.prod(ops.relu(high - low), axis=-1)
    union = box_areas(boxes) + box_areas(others) - intersection
    return ops.divide_no_nan(intersection, union)


def box_sides(boxes: Any) -> Any:
    """Return width and height of corners `[batch, 4]`, at least 0, `[batch, 2]`."""
    return ops.relu(boxes[:, 2:] - boxes[:, :2])


def box_areas(boxes: Any) -> Any:
    """Return the area of corners `[batch, 4]`, `[batch]`."""
    return ops.prod(box_sides(boxes), axis=-1)


def enclosing_sides(boxes: Any, others: Any) -> Any:
    """Return width and height of the smallest box around each pair of boxes, `[batch, 2]`."""
    low = ops.minimum(boxes[:, :2], others[:, :2])
    high = ops.maximum(boxes[:, 2:], others[:, 2:])
    return ops.maximum(high - low, 0.0)
