"""Layers and random numbers for every architecture."""

from collections.abc import Mapping
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
import numpy as np
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="mnist_localization")
class ImageInput(keras.layers.Layer):
    """Cast and scale of pixels 0..255; stores the provenance of the model.

    Args:
        scale: Factor of the pixel values.
        provenance: Facts about the training, as JSON values.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> import numpy as np
        >>> layer = ImageInput(scale=1 / 255)
        >>> float(layer(np.full((1, 2, 2, 1), 255, "uint8")).numpy().max())
        1.0
    """

    def __init__(
        self, scale: float = 1.0, provenance: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.scale = scale
        self._provenance = dict(provenance or {})

    @property
    def provenance(self) -> dict[str, Any]:
        """Return the facts about the training, as JSON values."""
        return dict(self._provenance)

    def call(self, images: Any) -> Any:
        """Return floats of the same shape, `[batch, height, width, channels]`."""
        return ops.cast(images, self.compute_dtype) * self.scale

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "scale": self.scale, "provenance": self._provenance}


@keras.saving.register_keras_serializable(package="mnist_localization")
class ClipAndSnapBox(keras.layers.Layer):
    """Corners clipped to the image, ordered, and optionally snapped to whole pixels.

    Args:
        grid: Height and width of the image, in pixels; `None` does not snap.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> layer = ClipAndSnapBox(grid=(100, 100))
        >>> layer([[0.526, 0.1, 0.81, 0.377]]).numpy().round(2).tolist()
        [[0.53, 0.1, 0.81, 0.38]]
    """

    def __init__(self, grid: tuple[int, int] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grid = tuple(grid) if grid is not None else None

    def call(self, boxes: Any) -> Any:
        """Return relative corners in [0, 1], `[batch, 4]`."""
        if self.grid is not None:
            boxes = _snap(boxes, *self.grid)
        boxes = ops.clip(boxes, 0.0, 1.0)
        first, second = boxes[:, :2], boxes[:, 2:]
        return ops.concatenate([ops.minimum(first, second), ops.maximum(first, second)], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "grid": self.grid}


@keras.saving.register_keras_serializable(package="mnist_localization")
class SnapToStatistics(keras.layers.Layer):
    """Replace size and center of a refined box by statistics of the dataset when they are close.

    The statistics are the size of most training boxes, and the center of mass. A refined value far
    from them is kept, because the object has an unusual size or noise distorts the center of mass.

    Args:
        typical_size: Relative width and height; `None` keeps every size.
        size_tolerance: Largest difference of the logarithms of the sizes.
        center_tolerance: Largest distance of the centers, relative to the box size.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        typical_size: tuple[float, float] | None = None,
        size_tolerance: float = 0.0,
        center_tolerance: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.typical_size = tuple(typical_size) if typical_size is not None else None
        self.size_tolerance = size_tolerance
        self.center_tolerance = center_tolerance

    def call(self, inputs: Any) -> Any:
        """Return boxes, given refined boxes and, optionally, centers of mass `[batch, 2]`."""
        boxes, *mass_centers = inputs
        center, size = box_center(boxes), box_size(boxes)
        if self.typical_size is not None:
            typical = ops.convert_to_tensor([self.typical_size], dtype=size.dtype)
            distance = ops.abs(ops.log(size / typical))
            size = ops.where(_all_below(distance, self.size_tolerance), typical, size)
        for mass_center in mass_centers:
            distance = ops.abs(mass_center - center) / size
            center = ops.where(_all_below(distance, self.center_tolerance), mass_center, center)
        return to_corners(center, size)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {
            **super().get_config(),
            "typical_size": self.typical_size,
            "size_tolerance": self.size_tolerance,
            "center_tolerance": self.center_tolerance,
        }


@keras.saving.register_keras_serializable(package="mnist_localization")
class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalization of images that uses one TensorFlow kernel in training.

    Keras computes it in a dozen operations, each of which reads and writes the whole batch; on a
    CPU that takes twice as long. Inference is that of Keras.

    Example:
        >>> import numpy as np
        >>> layer = FusedBatchNormalization()
        >>> images = np.random.default_rng(0).normal(3.0, 2.0, (8, 4, 4, 1)).astype("float32")
        >>> normalized = layer(images, training=True).numpy()
        >>> bool(abs(normalized.mean()) < 0.01 and abs(normalized.std() - 1) < 0.01)
        True
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return normalized images of the same shape, `[batch, height, width, channels]`."""
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


def keyed_uniform(key: Any, count: int, limit: float, stream: int) -> Any:
    """Draw uniform random numbers that depend on nothing but a key.

    Key and counter are hashed with the finalizer of MurmurHash3 (Appleby, 2011), so the numbers
    do not depend on the batch that a key is in.

    Args:
        key: Input `random_key`, uint32 `[batch, 2]`.
        count: Numbers for each key.
        limit: Largest absolute value.
        stream: Number of the caller; layers with different streams draw independent numbers.

    Returns:
        Numbers in [-limit, limit), float32 `[batch, count]`.
    """
    # Odd, so that all counters differ; the golden ratio spreads them over all bits.
    counters = (np.arange(count) + 1 + 256 * stream) * 0x9E3779B1 % 2**32
    state = _mix_bits(key[:, :1] + ops.convert_to_tensor(counters[None], "uint32"))
    state = _mix_bits(ops.bitwise_xor(state, key[:, 1:]))
    # The upper 24 bits, which a float32 holds exactly.
    share = ops.cast(ops.right_shift(state, _uint32(8)), "float32") * 2.0**-24
    return (2.0 * share - 1.0) * limit


def _mix_bits(state: Any) -> Any:
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        state = ops.bitwise_xor(state, ops.right_shift(state, _uint32(shift))) * _uint32(factor)
    return ops.bitwise_xor(state, ops.right_shift(state, _uint32(16)))


def _uint32(value: int) -> Any:
    return ops.convert_to_tensor(value, "uint32")


def box_center(boxes: Any) -> Any:
    """Return the center of corners `[batch, 4]`, `[batch, 2]`."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def box_size(boxes: Any) -> Any:
    """Return width and height of corners `[batch, 4]`, `[batch, 2]`; negative if not ordered."""
    return boxes[:, 2:] - boxes[:, :2]


def to_corners(center: Any, size: Any) -> Any:
    """Return the corners `[batch, 4]` of boxes with the given centers and sizes."""
    return ops.concatenate([center - size / 2, center + size / 2], axis=-1)


def _all_below(values: Any, limit: float) -> Any:
    return ops.max(values, axis=-1, keepdims=True) < limit


def _snap(boxes: Any, height: int, width: int) -> Any:
    """Round the size, then the first corner, so that an error of the size keeps the center."""
    pixels = ops.convert_to_tensor([width, height], dtype=boxes.dtype)
    size = ops.round(box_size(boxes) * pixels)
    low = ops.round(box_center(boxes) * pixels - size / 2)
    return ops.concatenate([low / pixels, (low + size) / pixels], axis=-1)
