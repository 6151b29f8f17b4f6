"""Intersection over union (IoU)."""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
from keras import ops

from mnist_localization.models.architecture import ModelSpec
from mnist_localization.models.metrics import paired_iou


@keras.saving.register_keras_serializable(package="mnist_localization")
class IoULoss(keras.losses.Loss):
    """One minus the IoU, in [0, 1]; it has no gradient for boxes that do not overlap.

    Base class of the generalized, distance and complete IoU losses, which add a `penalty`.

    Args:
        name: Name of the loss.
        **kwargs: Arguments of `keras.losses.Loss`.
    """

    def __init__(self, name: str = "iou", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each box, `[batch]`; 0 for equal boxes."""
        y_true = ops.cast(y_true, y_pred.dtype)
        iou = paired_iou(y_true, y_pred)
        return 1.0 - iou + self.penalty(y_true, y_pred, iou)

    def penalty(self, y_true: Any, y_pred: Any, iou: Any) -> Any:
        """Return the penalty added to one minus the IoU, `[batch]`."""
        del y_true, y_pred
        return ops.zeros_like(iou)


def create_loss(_spec: ModelSpec) -> keras.losses.Loss:
    """Create the loss."""
    return IoULoss()


LOSS = create_loss
