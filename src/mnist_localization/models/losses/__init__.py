"""Losses of the boxes, selected by name. Corners are relative, `[batch, 4]`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops

from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import ModelSpec
from mnist_localization.models.metrics import paired_iou

# Keeps gradients finite where a box has no area.
_EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="mnist_localization")
class PixelBoxLoss(keras.losses.Loss):
    """Distance of center and size in pixels, forgiving what rounding has hidden.

    An annotation on whole pixels says where the object's center is to half a pixel and no
    better. So the center's error counts only beyond `tolerance` (an epsilon-insensitive
    loss), and a small quadratic pull keeps it from resting at the edge of what is allowed.
    The size's error counts, squared near zero and straight further on: were it straight from a
    pixel on, a model would do best to give every object the size that most have, and learn
    nothing of the few that are larger or smaller.
    """

    def __init__(
        self,
        height: int,
        width: int,
        tolerance: float = 0.5,
        pull: float = 0.01,
        knee: float = 4.0,
        name: str = "pixel",
        **kwargs: Any,
    ) -> None:
        """Set the scale.

        Args:
            height: Rows of the images, in pixels.
            width: Columns of the images, in pixels.
            tolerance: Error of the center that costs nothing, in pixels.
            pull: Weight of the squared error of the center, per square pixel.
            knee: Error of the size round which the loss turns from squared to straight, in pixels.
            name: Name of the loss.
            **kwargs: Of `keras.losses.Loss`.
        """
        super().__init__(name=name, **kwargs)
        self.height = height
        self.width = width
        self.tolerance = tolerance
        self.pull = pull
        self.knee = knee

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each box, `[batch]`, not negative."""
        y_true = ops.cast(y_true, y_pred.dtype)
        pixels = ops.convert_to_tensor([self.width, self.height], dtype=y_pred.dtype)
        difference = y_pred - y_true
        center = ops.abs(difference[:, :2] + difference[:, 2:]) / 2 * pixels
        size = ops.abs(difference[:, 2:] - difference[:, :2]) * pixels
        beyond = ops.relu(center - self.tolerance)
        # Quadratic near, linear far: an early miss must not drown everything else.
        pull = self.pull * ops.square(center) / (1.0 + 0.1 * center)
        # Like a Huber loss: a constant slope would keep the size trembling round the truth.
        return ops.sum(beyond + pull + ops.square(size) / (1.0 + size / self.knee), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal loss."""
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "tolerance": self.tolerance,
            "pull": self.pull,
            "knee": self.knee,
        }


@keras.saving.register_keras_serializable(package="mnist_localization")
class HuberBoxLoss(keras.losses.Huber):
    """Keras' Huber loss, which forgets its `delta` when it is saved."""

    def __init__(self, delta: float = 0.01, name: str = "huber", **kwargs: Any) -> None:
        """Set where it turns from quadratic to linear.

        Args:
            delta: Relative to the image; a hundredth of its side by default.
            name: Name of the loss.
            **kwargs: Of `keras.losses.Huber`.
        """
        super().__init__(delta=delta, name=name, **kwargs)
        self._delta = delta

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal loss."""
        return {**super().get_config(), "delta": self._delta}


@keras.saving.register_keras_serializable(package="mnist_localization")
class IoULoss(keras.losses.Loss):
    """One minus the overlap: IoU, or its generalized, distance or complete form.

    IoU itself gives no gradient where boxes do not meet; GIoU (Rezatofighi et al., 2019)
    subtracts the empty share of the enclosing box, DIoU (Zheng et al., 2020) the squared
    distance of the centers over the enclosing box's diagonal, and CIoU adds a term for the
    aspect ratio.
    """

    def __init__(self, kind: str = "giou", name: str | None = None, **kwargs: Any) -> None:
        """Choose the form.

        Args:
            kind: `iou`, `giou`, `diou` or `ciou`.
            name: Name of the loss; by default its kind.
            **kwargs: Of `keras.losses.Loss`.
        """
        super().__init__(name=name or kind, **kwargs)
        if kind not in ("iou", "giou", "diou", "ciou"):
            raise ModelError(f"the kind {kind!r} of overlap is unknown: iou, giou, diou or ciou")
        self.kind = kind

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each box, `[batch]`: 0 for equal boxes, at most 1 (iou), 2 (giou, diou)."""
        y_true = ops.cast(y_true, y_pred.dtype)
        loss = 1.0 - paired_iou(y_true, y_pred)
        low = ops.minimum(y_true[:, :2], y_pred[:, :2])
        high = ops.maximum(y_true[:, 2:], y_pred[:, 2:])
        enclosing = ops.maximum(high - low, 0.0)
        if self.kind == "giou":
            return loss + _empty_share(y_true, y_pred, ops.prod(enclosing, axis=-1))
        if self.kind in ("diou", "ciou"):
            offset = (y_pred[:, :2] + y_pred[:, 2:] - y_true[:, :2] - y_true[:, 2:]) / 2
            diagonal = ops.sum(ops.square(enclosing), axis=-1)
            loss = loss + ops.sum(ops.square(offset), axis=-1) / (diagonal + _EPSILON)
        return loss + _aspect_penalty(y_true, y_pred) if self.kind == "ciou" else loss

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal loss."""
        return {**super().get_config(), "kind": self.kind}


def bbox_loss(name: str, spec: ModelSpec) -> keras.losses.Loss:
    """The loss of a box by its name.

    Args:
        name: `mse`, `huber`, `pixel`, `iou`, `giou`, `diou` or `ciou`.
        spec: What the data asks of the model.

    Raises:
        ModelError: The name is unknown.
    """
    tolerance = 0.5 if spec.whole_pixel_boxes else 0.0
    losses: dict[str, Callable[[], keras.losses.Loss]] = {
        "mse": lambda: keras.losses.MeanSquaredError(name="mse"),
        "huber": HuberBoxLoss,
        "pixel": lambda: PixelBoxLoss(spec.height, spec.width, tolerance),
        **{kind: partial(IoULoss, kind) for kind in ("iou", "giou", "diou", "ciou")},
    }
    if name not in losses:
        raise ModelError(f"train.bbox_loss is {name!r}, but the losses are {', '.join(losses)}")
    return losses[name]()


def _sides(boxes: Any) -> Any:
    return ops.relu(boxes[:, 2:] - boxes[:, :2])


def _empty_share(y_true: Any, y_pred: Any, enclosing: Any) -> Any:
    """Share of the enclosing box that neither box covers."""
    areas = ops.prod(_sides(y_true), axis=-1) + ops.prod(_sides(y_pred), axis=-1)
    iou = paired_iou(y_true, y_pred)
    # From areas and IoU: intersection = iou / (1 + iou) * areas; union = areas - intersection.
    union = areas / (1.0 + iou)
    return ops.relu(enclosing - union) / (enclosing + _EPSILON)


def _aspect_penalty(y_true: Any, y_pred: Any) -> Any:
    true, predicted = _sides(y_true) + _EPSILON, _sides(y_pred) + _EPSILON
    angle = ops.arctan(true[:, 0] / true[:, 1]) - ops.arctan(predicted[:, 0] / predicted[:, 1])
    penalty = 4.0 / 3.141592653589793**2 * ops.square(angle)
    iou = paired_iou(y_true, y_pred)
    weight = ops.stop_gradient(penalty / (1.0 - iou + penalty + _EPSILON))
    return weight * penalty
