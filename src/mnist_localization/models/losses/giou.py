"""Generalized IoU (Rezatofighi et al., 2019)."""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
from keras import ops

from mnist_localization.models.architecture import ModelSpec
from mnist_localization.models.losses import EPSILON
from mnist_localization.models.losses.iou import IoULoss
from mnist_localization.models.metrics import box_areas, enclosing_sides


@keras.saving.register_keras_serializable(package="mnist_localization")
class GIoULoss(IoULoss):
    """One minus the IoU plus the empty share of the enclosing box, in [0, 2]."""

    def __init__(self, name: str = "giou", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def penalty(self, y_true: Any, y_pred: Any, iou: Any) -> Any:
        """Return the share of the enclosing box that neither box covers, `[batch]`."""
        # From intersection = iou / (1 + iou) * areas and union = areas - intersection.
        union = (box_areas(y_true) + box_areas(y_pred)) / (1.0 + iou)
        enclosing = ops.prod(enclosing_sides(y_true, y_pred), axis=-1)
        return ops.relu(enclosing - union) / (enclosing + EPSILON)


def create_loss(_spec: ModelSpec) -> keras.losses.Loss:
    """Create the loss."""
    return GIoULoss()


LOSS = create_loss
