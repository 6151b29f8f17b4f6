"""Complete IoU (Zheng et al., 2020)."""

import math
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
from keras import ops

from mnist_localization.models.architecture import ModelSpec
from mnist_localization.models.losses import EPSILON
from mnist_localization.models.losses.diou import DIoULoss
from mnist_localization.models.metrics import box_sides


@keras.saving.register_keras_serializable(package="mnist_localization")
class CIoULoss(DIoULoss):
    """Distance IoU loss plus a penalty for a different aspect ratio."""

    def __init__(self, name: str = "ciou", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def penalty(self, y_true: Any, y_pred: Any, iou: Any) -> Any:
        """Return the penalties for distance and aspect ratio, `[batch]`."""
        true, predicted = box_sides(y_true) + EPSILON, box_sides(y_pred) + EPSILON
        angle = ops.arctan(true[:, 0] / true[:, 1]) - ops.arctan(predicted[:, 0] / predicted[:, 1])
        aspect = 4.0 / math.pi**2 * ops.square(angle)
        weight = ops.stop_gradient(aspect / (1.0 - iou + aspect + EPSILON))
        return super().penalty(y_true, y_pred, iou) + weight * aspect


def create_loss(_spec: ModelSpec) -> keras.losses.Loss:
    """Create the loss."""
    return CIoULoss()


LOSS = create_loss
