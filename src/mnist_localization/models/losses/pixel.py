"""Distance of center and size in pixels."""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
from keras import ops

from mnist_localization.models.architecture import ModelSpec


@keras.saving.register_keras_serializable(package="mnist_localization")
class PixelBoxLoss(keras.losses.Loss):
    """Distance of center and size in pixels that tolerates rounded annotations.

    Whole-pixel annotations determine the center of an object to half a pixel. Therefore an error
    `c` of the center costs `max(c - tolerance, 0)` (an epsilon-insensitive loss) plus a small pull
    `pull * c^2 / (1 + 0.1 c)` that keeps it away from the edge of the tolerance. An error `s` of
    the size costs `s^2 / (1 + s / knee)`. If that were linear from one pixel on, predicting the
    most common size for every object would minimize it, and rare sizes would not be learned.

    Args:
        height: Height of the images, in pixels.
        width: Width of the images, in pixels.
        tolerance: Error of the center that costs nothing but the pull, in pixels.
        pull: Weight of the squared error of the center, per square pixel.
        knee: Error of the size near which the loss turns from quadratic to linear, in pixels.
        name: Name of the loss.
        **kwargs: Arguments of `keras.losses.Loss`.
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
        super().__init__(name=name, **kwargs)
        self.height = height
        self.width = width
        self.tolerance = tolerance
        self.pull = pull
        self.knee = knee

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each box, at least 0, `[batch]`."""
        y_true = ops.cast(y_true, y_pred.dtype)
        pixels = ops.convert_to_tensor([self.width, self.height], dtype=y_pred.dtype)
        difference = y_pred - y_true
        center = ops.abs(difference[:, :2] + difference[:, 2:]) / 2 * pixels
        size = ops.abs(difference[:, 2:] - difference[:, :2]) * pixels
        beyond = ops.relu(center - self.tolerance)
        # Linear for large errors, so that early misses do not dominate the total loss.
        pull = self.pull * ops.square(center) / (1.0 + 0.1 * center)
        return ops.sum(beyond + pull + ops.square(size) / (1.0 + size / self.knee), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal loss."""
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "tolerance": self.tolerance,
            "pull": self.pull,
            "knee": self.knee,
        }


def create_loss(spec: ModelSpec) -> keras.losses.Loss:
    """Create the loss; it tolerates half a pixel if annotated boxes are at whole pixels."""
    return PixelBoxLoss(spec.height, spec.width, 0.5 if spec.whole_pixel_boxes else 0.0)


LOSS = create_loss
