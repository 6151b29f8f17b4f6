"""Layers that every architecture may use: what comes in, and what goes out."""

from collections.abc import Mapping
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="mnist_localization")
class ImageInput(keras.layers.Layer):
    """Casts the pixels of a file to floats and scales them; carries the model's provenance.

    Example:
        >>> import numpy as np
        >>> layer = ImageInput(scale=1 / 255)
        >>> float(layer(np.full((1, 2, 2, 1), 255, "uint8")).numpy().max())
        1.0
    """

    def __init__(
        self, scale: float = 1.0, provenance: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Set the factor.

        Args:
            scale: Factor of the pixels.
            provenance: What is known of the training data, as JSON values.
            **kwargs: Of `keras.layers.Layer`.
        """
        super().__init__(autocast=False, **kwargs)
        self.scale = scale
        self._provenance = dict(provenance or {})

    @property
    def provenance(self) -> dict[str, Any]:
        """Return the facts about the training, as JSON values."""
        return dict(self._provenance)

    def call(self, images: Any) -> Any:
        """Pixels 0..255 `[batch, height, width, channels]` to floats of the same shape."""
        return ops.cast(images, self.compute_dtype) * self.scale

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal layer."""
        return {**super().get_config(), "scale": self.scale, "provenance": self._provenance}


@keras.saving.register_keras_serializable(package="mnist_localization")
class ClipAndSnapBox(keras.layers.Layer):
    """Corners inside the image, ordered, and on whole pixels where a grid is given.

    Example:
        >>> layer = ClipAndSnapBox(grid=(100, 100))
        >>> layer([[0.526, 0.1, 0.81, 0.377]]).numpy().round(2).tolist()
        [[0.53, 0.1, 0.81, 0.38]]
    """

    def __init__(self, grid: tuple[int, int] | None = None, **kwargs: Any) -> None:
        """Set the grid.

        Args:
            grid: Height and width of the image in pixels, to snap to; none to keep the corners.
            **kwargs: Of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.grid = tuple(grid) if grid is not None else None

    def call(self, boxes: Any) -> Any:
        """Relative corners `[batch, 4]` to relative corners in [0, 1], ordered."""
        if self.grid is not None:
            boxes = _snapped(boxes, *self.grid)
        boxes = ops.clip(boxes, 0.0, 1.0)
        first, second = boxes[:, :2], boxes[:, 2:]
        return ops.concatenate([ops.minimum(first, second), ops.maximum(first, second)], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal layer."""
        return {**super().get_config(), "grid": self.grid}


@keras.saving.register_keras_serializable(package="mnist_localization")
class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras' batch normalization of images, in training by one kernel of TensorFlow's.

    Keras computes it in a dozen steps, each of which reads and writes the whole batch; on a
    CPU that takes twice as long. For inference it is Keras' own.

    Example:
        >>> import numpy as np
        >>> layer = FusedBatchNormalization()
        >>> images = np.random.default_rng(0).normal(3.0, 2.0, (8, 4, 4, 1)).astype("float32")
        >>> normalized = layer(images, training=True).numpy()
        >>> bool(abs(normalized.mean()) < 0.01 and abs(normalized.std() - 1) < 0.01)
        True
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Images `[batch, height, width, channels]` to normalized ones of the same shape."""
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        normalized, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            ops.cast(self.gamma, "float32"),
            ops.cast(self.beta, "float32"),
            epsilon=self.epsilon,
            is_training=True,
        )
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return normalized


def _snapped(boxes: Any, height: int, width: int) -> Any:
    """Size first, then the corner: an error of the size does not move the box."""
    pixels = ops.convert_to_tensor([width, height], dtype=boxes.dtype)
    center = (boxes[:, :2] + boxes[:, 2:]) / 2 * pixels
    size = ops.round((boxes[:, 2:] - boxes[:, :2]) * pixels)
    low = ops.round(center - size / 2)
    return ops.concatenate([low / pixels, (low + size) / pixels], axis=-1)
