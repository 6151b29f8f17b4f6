"""Distance IoU (Zheng et al., 2020)."""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
from keras import ops

from mnist_localization.models.architecture import ModelSpec
from mnist_localization.models.losses import EPSILON
from mnist_localization.models.losses.iou import IoULoss
from mnist_localization.models.metrics import enclosing_sides


@keras.saving.register_keras_serializable(package="mnist_localization")
class DIoULoss(IoULoss):
    """One minus the IoU plus the relative distance of the centers, in [0, 2]."""

    def __init__(self, name: str = "diou", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def penalty(self, y_true: Any, y_pred: Any, iou: Any) -> Any:
        """Return the squared distance over the squared diagonal of the enclosing box, `[batch]`."""
        del iou
        offset = (y_pred[:, :2] + y_pred[:, 2:] - y_true[:, :2] - y_true[:, 2:]) / 2
        diagonal = ops.sum(ops.square(enclosing_sides(y_true, y_pred)), axis=-1)
        return ops.sum(ops.square(offset), axis=-1) / (diagonal + EPSILON)


def create_loss(_spec: ModelSpec) -> keras.losses.Loss:
    """Create the loss."""
    return DIoULoss()


LOSS = create_loss
