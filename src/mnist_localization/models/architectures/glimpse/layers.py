"""Layers of the architecture `glimpse`.

Boxes are relative corners, `[batch, 4]`. A window is the center and the logarithm of the size of
the image region that a glimpse shows, relative to the image, `[batch, 4]`.
"""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
import numpy as np
from keras import ops

from mnist_localization.models.layers import box_center, box_size, keyed_uniform, to_corners

# Limits of the side of a box that a glimpse is taken of, relative to the image.
_SMALLEST, _LARGEST = 0.02, 1.0


@keras.saving.register_keras_serializable(package="mnist_localization")
class AttendedBox(keras.layers.Layer):
    """Average of the boxes proposed by the cells of a grid, weighted by attention.

    The five channels of a cell are its attention (before the softmax over all cells), the offset
    of the center and the size of the box.
    """

    def call(self, proposals: Any) -> Any:
        """Return the box, given proposals `[batch, rows, columns, 5]`."""
        _, rows, columns, channels = proposals.shape
        cells = ops.reshape(proposals, (-1, rows * columns, channels))
        attention = ops.softmax(cells[..., :1], axis=1)
        x, y = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
        centers = np.stack([x, y], axis=-1).reshape(1, rows * columns, 2).astype("float32")
        center = ops.sum(attention * (centers + 0.125 * cells[..., 1:3]), axis=1)
        # Zeros give a quarter of the image: 0.25 * softplus(0.5413) = 0.25.
        size = ops.sum(attention * 0.25 * ops.softplus(cells[..., 3:5] + 0.5413), axis=1)
        return to_corners(center, size)


@keras.saving.register_keras_serializable(package="mnist_localization")
class JitterBox(keras.layers.Layer):
    """Random shift and scaling of a box, in training only.

    Args:
        amount: Largest shift and change of size, relative to the size of the box.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, amount: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.amount = amount

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return boxes, given boxes and random keys `[batch, 2]`."""
        boxes, key = inputs
        if not training or not self.amount:
            return boxes
        center, size = box_center(boxes), _glimpse_side(boxes)
        jitter = keyed_uniform(key, 4, self.amount, stream=0)
        return to_corners(center + jitter[:, :2] * size, size * (1 + jitter[:, 2:]))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "amount": self.amount}


@keras.saving.register_keras_serializable(package="mnist_localization")
class Glimpse(keras.layers.Layer):
    """Image region around a box, resampled to a fixed size.

    Each sample is the mean of the pixels under a triangle that reaches to the neighboring samples,
    and at least one pixel far. If samples are at least one pixel apart, the triangles of all
    samples give each pixel of the window the same total weight, so that centers of mass are those
    of the image. Resampling is two matrix products, which are fast and supported by every export
    format.

    Args:
        size: Side of the glimpse, in samples.
        margin: Side of the window relative to that of the box.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, size: int, margin: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.margin = margin

    def call(self, inputs: Any) -> Any:
        """Resample images; gradients do not flow to the boxes, which have a loss of their own.

        Args:
            inputs: Images `[batch, height, width, channels]`, and boxes.

        Returns:
            Glimpses `[batch, size, size, channels]`, and windows.
        """
        images, boxes = inputs
        boxes = ops.stop_gradient(boxes)
        center, side = box_center(boxes), _glimpse_side(boxes) * self.margin
        _, height, width, channels = images.shape
        columns = self._kernels(center[:, 0], side[:, 0], width)
        rows = self._kernels(center[:, 1], side[:, 1], height)
        flat = ops.reshape(images, (-1, height, width * channels))
        lines = ops.reshape(ops.matmul(rows, flat), (-1, self.size, width, channels))
        lines = ops.reshape(ops.transpose(lines, (0, 2, 1, 3)), (-1, width, self.size * channels))
        glimpse = ops.reshape(ops.matmul(columns, lines), (-1, self.size, self.size, channels))
        window = ops.concatenate([center, ops.log(side)], axis=-1)
        return ops.transpose(glimpse, (0, 2, 1, 3)), window

    def _kernels(self, center: Any, side: Any, pixels: int) -> Any:
        """Return the weight of each pixel in each sample, `[batch, size, pixels]`."""
        spacing = side * (pixels / self.size)
        steps = np.arange(self.size, dtype="float32") + 0.5 - self.size / 2
        samples = center[:, None] * pixels + steps[None, :] * spacing[:, None]
        positions = np.arange(pixels, dtype="float32")[None, None, :] + 0.5
        reach = ops.maximum(spacing, 1.0)[:, None, None]
        return ops.relu(1.0 - ops.abs(positions - samples[:, :, None]) / reach) / reach

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shapes of glimpses and windows."""
        batch, _, _, channels = input_shape[0]
        return (batch, self.size, self.size, channels), (batch, 4)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "size": self.size, "margin": self.margin}


@keras.saving.register_keras_serializable(package="mnist_localization")
class RandomShear(keras.layers.Layer):
    """Random shear of each image about its center, in training only.

    The sample at (x, y) from the center is taken from (x + a y, y + b x), where a and b are drawn
    for each image. With b = -a this is approximately a rotation by a radians.

    Args:
        amount: Largest absolute value of a and b.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, amount: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.amount = amount

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Shear images by bilinear interpolation, with edges repeated.

        Args:
            inputs: Images `[batch, rows, columns, channels]`, and random keys `[batch, 2]`.
            training: Whether the images are sheared.

        Returns:
            Images of the same shape.
        """
        images, key = inputs
        if not training or not self.amount:
            return images
        _, rows, columns, channels = images.shape
        shear = keyed_uniform(key, 2, self.amount, stream=1)
        across, down = shear[:, :1, None], shear[:, 1:, None]
        x, y = _positions(columns)[None] * columns, _positions(rows)[:, :, None] * rows
        x, y = x + across * y + (columns - 1) / 2, y + down * x + (rows - 1) / 2
        # Interpolated by gathering, because XLA cannot compile the affine transform of Keras.
        x, y = ops.clip(x, 0.0, columns - 1.0), ops.clip(y, 0.0, rows - 1.0)
        left, top = ops.minimum(ops.floor(x), columns - 2.0), ops.minimum(ops.floor(y), rows - 2.0)
        x, y = (x - left)[..., None], (y - top)[..., None]
        first = ops.cast(top * columns + left, "int32")
        first += ops.arange(ops.shape(images)[0], dtype="int32")[:, None, None] * (rows * columns)
        flat = ops.reshape(images, (-1, channels))
        above, above_right, below, below_right = (
            ops.take(flat, first + step, axis=0) for step in (0, 1, columns, columns + 1)
        )
        above, below = above + x * (above_right - above), below + x * (below_right - below)
        return above + y * (below - above)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "amount": self.amount}


@keras.saving.register_keras_serializable(package="mnist_localization")
class ProjectionProfiles(keras.layers.Layer):
    """Mean and maximum of each row and each column, which show where an object ends."""

    def call(self, glimpse: Any) -> Any:
        """Return profiles `[batch, 2 * (rows + columns) * channels]` of images."""
        profiles = [
            reduced(glimpse, axis=axis) for axis in (1, 2) for reduced in (ops.mean, ops.max)
        ]
        _, rows, columns, channels = glimpse.shape
        return ops.reshape(ops.concatenate(profiles, axis=1), (-1, 2 * (rows + columns) * channels))


@keras.saving.register_keras_serializable(package="mnist_localization")
class ShiftBox(keras.layers.Layer):
    """Shift of a box by a share of its own size.

    Args:
        shift: Shift to the right and down, relative to width and height of the box.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, shift: tuple[float, float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shift = tuple(shift)

    def call(self, boxes: Any) -> Any:
        """Return boxes of the same size."""
        shift = box_size(boxes) * ops.convert_to_tensor([self.shift], boxes.dtype)
        return boxes + ops.concatenate([shift, shift], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "shift": self.shift}


@keras.saving.register_keras_serializable(package="mnist_localization")
class AverageViews(keras.layers.Layer):
    """Mean of the probabilities that several views of each image give."""

    def call(self, inputs: Any) -> Any:
        """Average over views.

        Args:
            inputs: Probabilities of the first view, `[batch, classes]`, and of the other views,
                one batch after the other, `[views * batch, classes]`.

        Returns:
            Mean over all views, `[batch, classes]`.
        """
        first, others = inputs
        others = ops.reshape(others, (-1, ops.shape(first)[0], first.shape[-1]))
        return ops.mean(ops.concatenate([first[None], others], axis=0), axis=0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the first view."""
        return input_shape[0]


@keras.saving.register_keras_serializable(package="mnist_localization")
class ForegroundWeights(keras.layers.Layer):
    """Brightness of each sample of a glimpse above the background.

    The background level is the mean of the outermost samples, which surround the object, plus a
    learned number of their standard deviations. On a uniform background the weights are exact for
    any learned number.
    """

    def build(self, input_shape: Any) -> None:
        """Create the number of standard deviations."""
        self.deviations = self.add_weight(name="deviations", shape=(), initializer="ones")

    def call(self, glimpse: Any) -> Any:
        """Return weights >= 0, `[batch, rows, columns, 1]`, of glimpses."""
        brightness = ops.mean(glimpse, axis=-1)
        border = ops.concatenate(
            [
                brightness[:, 0, :],
                brightness[:, -1, :],
                brightness[:, 1:-1, 0],
                brightness[:, 1:-1, -1],
            ],
            axis=1,
        )
        mean = ops.mean(border, axis=1)
        variance = ops.mean(ops.square(border - mean[:, None]), axis=1)
        # The square root has no finite gradient at zero.
        deviation = ops.sqrt(variance + 1e-12) - 1e-6
        background = mean + ops.relu(self.deviations) * deviation
        return ops.relu(brightness - background[:, None, None])[..., None]


@keras.saving.register_keras_serializable(package="mnist_localization")
class EncodeBoxDeltas(keras.layers.Layer):
    """Position and size of a box relative to a window, and the size of the window.

    The size of an object in a glimpse does not determine its size in the image without them.
    """

    def call(self, inputs: Any) -> Any:
        """Encode boxes; gradients do not flow to them.

        Args:
            inputs: Boxes, and windows.

        Returns:
            Logarithm of the window size, offset of the box center relative to that size, and
            logarithm of the relative box size, `[batch, 6]`.
        """
        boxes, window = inputs
        boxes = ops.stop_gradient(boxes)
        offset, log_window = box_center(boxes) - window[:, :2], window[:, 2:]
        log_size = ops.log(_glimpse_side(boxes)) - log_window
        return ops.concatenate([log_window, offset / ops.exp(log_window), log_size], axis=-1)


@keras.saving.register_keras_serializable(package="mnist_localization")
class DecodeBoxDeltas(keras.layers.Layer):
    """Box refined by predicted deltas, as in Faster R-CNN (Ren et al., 2015)."""

    def call(self, inputs: Any) -> Any:
        """Refine boxes; gradients do not flow to them.

        Args:
            inputs: Boxes, shift of the center relative to the box size `[batch, 2]`, and logarithm
                of the factor of the size `[batch, 2]`.

        Returns:
            Refined boxes.
        """
        boxes, shift, log_factor = inputs
        boxes = ops.stop_gradient(boxes)
        side = _glimpse_side(boxes)
        size = side * ops.exp(ops.clip(log_factor, -2.0, 2.0))
        return to_corners(box_center(boxes) + shift * side, size)


@keras.saving.register_keras_serializable(package="mnist_localization")
class CenterOfMass(keras.layers.Layer):
    """Center of an object, from the weights of the samples of a window.

    Args:
        offset: Distance from the center of mass to the center of annotated boxes, relative to
            the image.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, offset: tuple[float, float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.offset = tuple(offset)

    def call(self, inputs: Any) -> Any:
        """Return relative centers `[batch, 2]`.

        Args:
            inputs: Weights >= 0 `[batch, rows, columns, 1]`, and windows.
        """
        weights, window = inputs
        _, rows, columns, _ = weights.shape
        across = ops.sum(weights[..., 0], axis=1) + 1e-6
        down = ops.sum(weights[..., 0], axis=2) + 1e-6
        x = ops.sum(across * _positions(columns), axis=1) / ops.sum(across, axis=1)
        y = ops.sum(down * _positions(rows), axis=1) / ops.sum(down, axis=1)
        center = window[:, :2] + ops.stack([x, y], axis=-1) * ops.exp(window[:, 2:])
        return center + ops.convert_to_tensor([self.offset], dtype=center.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "offset": self.offset}


def _glimpse_side(boxes: Any) -> Any:
    return ops.clip(box_size(boxes), _SMALLEST, _LARGEST)


def _positions(count: int) -> Any:
    """Return the positions of samples in a window of side 1 around 0, `[1, count]`."""
    return ((np.arange(count) + 0.5) / count - 0.5).astype("float32")[None, :]
