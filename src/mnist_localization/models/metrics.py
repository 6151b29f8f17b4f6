"""Metrics of the heads during training."""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mnist_localization")
class MeanBoxIoU(keras.metrics.MeanMetricWrapper):
    """Mean intersection over union of each predicted box with its annotation, in [0, 1]."""

    def __init__(self, name: str = "mean_iou", **kwargs: Any) -> None:
        """Name the metric.

        Args:
            name: Its name in the logs.
            **kwargs: Of `keras.metrics.Metric`.
        """
        super().__init__(paired_iou, name=name, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal metric."""
        return {"name": self.name, "dtype": self.dtype}


def paired_iou(boxes: Any, others: Any) -> Any:
    """Intersection over union of each box with its partner.

    Args:
        boxes: Corners `[batch, 4]`.
        others: Corners `[batch, 4]`.

    Returns:
        IoU in [0, 1], `[batch]`; 0 where the union has no area.
    """
    boxes, others = ops.cast(boxes, "float32"), ops.cast(others, "float32")
    low = ops.maximum(boxes[:, :2], others[:, :2])
    high = ops.minimum(boxes[:, 2:], others[:, 2:])
    intersection = ops.prod(ops.relu(high - low), axis=-1)
    union = _area(boxes) + _area(others) - intersection
    return ops.divide_no_nan(intersection, union)


def _area(boxes: Any) -> Any:
    return ops.prod(ops.relu(boxes[:, 2:] - boxes[:, :2]), axis=-1)
