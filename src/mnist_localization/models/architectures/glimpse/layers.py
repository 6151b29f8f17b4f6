"""Layers of the architecture `glimpse`. Boxes are relative; `[batch, 4]` where not said."""

from typing import Any

import keras
import numpy as np
from keras import ops

# A box is never smaller than this share of the image, nor larger than the image.
_SMALLEST = 0.02


@keras.saving.register_keras_serializable(package="mnist_localization")
class AttendedBox(keras.layers.Layer):
    """Every cell of a grid proposes a box; attention averages them.

    A cell's five numbers are its attention (before the softmax over all cells), the offset
    of the center, and the box's size.
    """

    def call(self, proposals: Any) -> Any:
        """Proposals `[batch, rows, columns, 5]` to relative corners `[batch, 4]`."""
        _, rows, columns, numbers = proposals.shape
        cells = ops.reshape(proposals, (-1, rows * columns, numbers))
        attention = ops.softmax(cells[..., :1], axis=1)
        x, y = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
        centers = np.stack([x, y], axis=-1).reshape(1, rows * columns, 2).astype("float32")
        center = ops.sum(attention * (centers + 0.125 * cells[..., 1:3]), axis=1)
        # Starts at a quarter of the image: 0.25 * softplus(0.54) = 0.25.
        size = ops.sum(attention * 0.25 * ops.softplus(cells[..., 3:5] + 0.5413), axis=1)
        return ops.concatenate([center - size / 2, center + size / 2], axis=-1)


@keras.saving.register_keras_serializable(package="mnist_localization")
class Glimpse(keras.layers.Layer):
    """Resamples the window round a box to a fixed size.

    Each sample is a mean of pixels under a triangle that reaches to the samples beside it, and
    to a pixel's distance at least. Where samples are no closer than pixels, the triangles of
    all samples give every pixel inside the window the same weight and keep its position, so
    centers of mass are those of the image. It is two products of matrices, which is fast and
    exports to every format.
    """

    def __init__(self, size: int, margin: float, jitter: float = 0.0, **kwargs: Any) -> None:
        """Set the window.

        Args:
            size: Side of the glimpse, in samples.
            margin: Side of the window over that of the box.
            jitter: In training, the window is moved and scaled at random by up to this share
                of the box.
            **kwargs: Of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.size = size
        self.margin = margin
        self.jitter = jitter
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Images `[batch, height, width, channels]` and boxes to glimpses and their windows.

        No gradient flows back to the boxes: they have a loss of their own.

        Returns:
            Glimpses `[batch, size, size, channels]`, and windows `[batch, 4]`: relative
            center, and the logarithm of the relative size.
        """
        images, boxes = inputs
        boxes = ops.stop_gradient(boxes)
        center = (boxes[:, :2] + boxes[:, 2:]) / 2
        side = ops.clip(boxes[:, 2:] - boxes[:, :2], _SMALLEST, 1.0)
        if training and self.jitter:
            moves = keras.random.uniform(
                (ops.shape(boxes)[0], 4), -self.jitter, self.jitter, seed=self.seed_generator
            )
            center = center + moves[:, :2] * side
            side = side * (1 + moves[:, 2:])
        side = side * self.margin
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
        """Weights of every pixel in every sample, `[batch, size, pixels]`."""
        spacing = side * (pixels / self.size)
        steps = np.arange(self.size, dtype="float32") + 0.5 - self.size / 2
        samples = center[:, None] * pixels + steps[None, :] * spacing[:, None]
        positions = np.arange(pixels, dtype="float32")[None, None, :] + 0.5
        reach = ops.maximum(spacing, 1.0)[:, None, None]
        return ops.relu(1.0 - ops.abs(positions - samples[:, :, None]) / reach) / reach

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shapes of glimpses and windows."""
        batch, _, _, channels = input_shape[0]
        return (batch, self.size, self.size, channels), (batch, 4)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal layer."""
        return {
            **super().get_config(),
            "size": self.size,
            "margin": self.margin,
            "jitter": self.jitter,
        }


@keras.saving.register_keras_serializable(package="mnist_localization")
class RandomShear(keras.layers.Layer):
    """In training, turns and slants each image a little, about its center.

    A sample across and down from the center shows what lies at (x + a y, y + b x); a and b are
    drawn for each image. With b = -a it is a turn by that many radians, nearly; with b = 0 a
    slant.
    """

    def __init__(self, amount: float, **kwargs: Any) -> None:
        """Set the largest tilt.

        Args:
            amount: Largest a and b, up and down; 0 leaves the images as they are.
            **kwargs: Of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.amount = amount
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, images: Any, training: bool = False) -> Any:
        """Images `[batch, rows, columns, channels]` to images of the same shape."""
        if not training or not self.amount:
            return images
        _, rows, columns, channels = images.shape
        count = ops.shape(images)[0]
        tilts = keras.random.uniform(
            (count, 2), -self.amount, self.amount, seed=self.seed_generator
        )
        across, down = tilts[:, :1, None], tilts[:, 1:, None]
        x, y = _positions(columns)[None] * columns, _positions(rows)[:, :, None] * rows
        x, y = x + across * y + (columns - 1) / 2, y + down * x + (rows - 1) / 2
        # Between four samples each; Keras' affine transform cannot be compiled by XLA.
        x, y = ops.clip(x, 0.0, columns - 1.0), ops.clip(y, 0.0, rows - 1.0)
        left, top = ops.minimum(ops.floor(x), columns - 2.0), ops.minimum(ops.floor(y), rows - 2.0)
        x, y = (x - left)[..., None], (y - top)[..., None]
        first = ops.cast(top * columns + left, "int32")
        first += ops.arange(count, dtype="int32")[:, None, None] * (rows * columns)
        flat = ops.reshape(images, (-1, channels))
        above, above_right, below, below_right = (
            ops.take(flat, first + beside, axis=0) for beside in (0, 1, columns, columns + 1)
        )
        above, below = above + x * (above_right - above), below + x * (below_right - below)
        return above + y * (below - above)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal layer."""
        return {**super().get_config(), "amount": self.amount}


@keras.saving.register_keras_serializable(package="mnist_localization")
class ProjectionProfiles(keras.layers.Layer):
    """The mean and the brightest sample of every row and every column: where an object ends."""

    def call(self, glimpse: Any) -> Any:
        """Glimpses `[batch, rows, columns, channels]` to `[batch, 2 (rows + columns) channels]`."""
        profiles = [
            reduced(glimpse, axis=axis) for axis in (1, 2) for reduced in (ops.mean, ops.max)
        ]
        _, rows, columns, channels = glimpse.shape
        return ops.reshape(ops.concatenate(profiles, axis=1), (-1, 2 * (rows + columns) * channels))


@keras.saving.register_keras_serializable(package="mnist_localization")
class ShiftBox(keras.layers.Layer):
    """A box moved by a share of its own size."""

    def __init__(self, move: tuple[float, float], **kwargs: Any) -> None:
        """Set the move.

        Args:
            move: Of the center, across and down, over the box's width and height.
            **kwargs: Of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.move = tuple(move)

    def call(self, boxes: Any) -> Any:
        """Relative corners `[batch, 4]` to relative corners of the same size."""
        move = (boxes[:, 2:] - boxes[:, :2]) * ops.convert_to_tensor([self.move], boxes.dtype)
        return boxes + ops.concatenate([move, move], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal layer."""
        return {**super().get_config(), "move": self.move}


@keras.saving.register_keras_serializable(package="mnist_localization")
class AverageViews(keras.layers.Layer):
    """The mean of what several views of each image say."""

    def call(self, inputs: Any) -> Any:
        """Average.

        Args:
            inputs: What the first view says, `[batch, classes]`; and the others, one batch
                after the other, `[views * batch, classes]`.

        Returns:
            The mean over all views, `[batch, classes]`.
        """
        first, others = inputs
        others = ops.reshape(others, (-1, ops.shape(first)[0], first.shape[-1]))
        return ops.mean(ops.concatenate([first[None], others], axis=0), axis=0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the first view."""
        return input_shape[0]


@keras.saving.register_keras_serializable(package="mnist_localization")
class ForegroundWeights(keras.layers.Layer):
    """What each sample of a glimpse votes with: its brightness above that of the background.

    The background is what the outermost samples show, which lie round the object: their mean,
    and so many standard deviations above it as is learned. On a background of one brightness
    the votes are exact, whatever was learned.
    """

    def build(self, input_shape: Any) -> None:
        """Make the number of standard deviations."""
        self.deviations = self.add_weight(name="deviations", shape=(), initializer="ones")

    def call(self, glimpse: Any) -> Any:
        """Glimpses `[batch, rows, columns, channels]` to votes >= 0 `[batch, rows, columns, 1]`."""
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
        # The root of zero has no gradient.
        deviation = ops.sqrt(variance + 1e-12) - 1e-6
        background = mean + ops.relu(self.deviations) * deviation
        return ops.relu(brightness - background[:, None, None])[..., None]


@keras.saving.register_keras_serializable(package="mnist_localization")
class EncodeBoxDeltas(keras.layers.Layer):
    """What the second look knows of the first: where its box lies in the window, and how large.

    What an object measures on the glimpse says nothing of its size on the image without it.
    """

    def call(self, inputs: Any) -> Any:
        """Boxes `[batch, 4]` and windows `[batch, 4]` to numbers `[batch, 6]`.

        These are the logarithms of the window's size, the offset of the box's center over that
        size, and the logarithms of the box's size over it.
        """
        boxes, window = inputs
        boxes = ops.stop_gradient(boxes)
        side = ops.clip(boxes[:, 2:] - boxes[:, :2], _SMALLEST, 1.0)
        offset = (boxes[:, :2] + boxes[:, 2:]) / 2 - window[:, :2]
        log_window = window[:, 2:]
        return ops.concatenate(
            [log_window, offset / ops.exp(log_window), ops.log(side) - log_window], axis=-1
        )


@keras.saving.register_keras_serializable(package="mnist_localization")
class DecodeBoxDeltas(keras.layers.Layer):
    """A box moved and scaled, as in detectors of two stages (Ren et al., 2015, Faster R-CNN)."""

    def call(self, inputs: Any) -> Any:
        """Correct a box.

        Args:
            inputs: Relative corners `[batch, 4]`, which learn nothing from this; the move of
                the center over the box's size, `[batch, 2]`; the logarithm of the factor of the
                size, `[batch, 2]`.

        Returns:
            Relative corners, `[batch, 4]`.
        """
        boxes, move, factor = inputs
        boxes = ops.stop_gradient(boxes)
        side = ops.clip(boxes[:, 2:] - boxes[:, :2], _SMALLEST, 1.0)
        center = (boxes[:, :2] + boxes[:, 2:]) / 2 + move * side
        half = side * ops.exp(ops.clip(factor, -2.0, 2.0)) / 2
        return ops.concatenate([center - half, center + half], axis=-1)


@keras.saving.register_keras_serializable(package="mnist_localization")
class CenterOfMass(keras.layers.Layer):
    """Where the samples of a window place an object's center, each by its vote."""

    def __init__(self, offset: tuple[float, float], **kwargs: Any) -> None:
        """Set the constant distance.

        Args:
            offset: From the mean of the votes to the center that annotations mean, relative.
            **kwargs: Of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.offset = tuple(offset)

    def call(self, inputs: Any) -> Any:
        """ForegroundWeights >= 0 `[batch, rows, columns, 1]` and windows to relative centers `[batch, 2]`."""
        votes, window = inputs
        _, rows, columns, _ = votes.shape
        across = ops.sum(votes[..., 0], axis=1) + 1e-6
        down = ops.sum(votes[..., 0], axis=2) + 1e-6
        x = ops.sum(across * _positions(columns), axis=1) / ops.sum(across, axis=1)
        y = ops.sum(down * _positions(rows), axis=1) / ops.sum(down, axis=1)
        voted = window[:, :2] + ops.stack([x, y], axis=-1) * ops.exp(window[:, 2:])
        return voted + ops.convert_to_tensor([self.offset], dtype=voted.dtype)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal layer."""
        return {**super().get_config(), "offset": self.offset}


@keras.saving.register_keras_serializable(package="mnist_localization")
class SnapToStatistics(keras.layers.Layer):
    """A guessed box that gives way to what is exact, where it comes near it.

    What is exact is the size that most training boxes have, and the mean of the votes. Where
    either is far from the guess (an object of unusual size, votes that noise has drawn away),
    the guess stays.
    """

    def __init__(
        self,
        typical_size: tuple[float, float] | None = None,
        size_tolerance: float = 0.0,
        center_tolerance: float = 0.0,
        **kwargs: Any,
    ) -> None:
        """Set what is near.

        Args:
            typical_size: Relative width and height; none takes every size as guessed.
            size_tolerance: Difference of the logarithms up to which the size gives way.
            center_tolerance: Distance over the box's size up to which the center gives way.
            **kwargs: Of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.typical_size = tuple(typical_size) if typical_size is not None else None
        self.size_tolerance = size_tolerance
        self.center_tolerance = center_tolerance

    def call(self, inputs: Any) -> Any:
        """Guessed corners `[batch, 4]`, and voted centers `[batch, 2]` if any, to corners."""
        guess, *voted = inputs
        size = guess[:, 2:] - guess[:, :2]
        center = (guess[:, :2] + guess[:, 2:]) / 2
        if self.typical_size is not None:
            typical = ops.convert_to_tensor([self.typical_size], dtype=size.dtype)
            distance = ops.abs(ops.log(size / typical))
            size = ops.where(_all_below(distance, self.size_tolerance), typical, size)
        if voted:
            distance = ops.abs(voted[0] - center) / size
            center = ops.where(_all_below(distance, self.center_tolerance), voted[0], center)
        return ops.concatenate([center - size / 2, center + size / 2], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal layer."""
        return {
            **super().get_config(),
            "typical_size": self.typical_size,
            "size_tolerance": self.size_tolerance,
            "center_tolerance": self.center_tolerance,
        }


def _all_below(values: Any, limit: float) -> Any:
    return ops.max(values, axis=-1, keepdims=True) < limit


def _positions(count: int) -> Any:
    """Positions of samples in a window of side 1 round 0."""
    return ((np.arange(count) + 0.5) / count - 0.5).astype("float32")[None, :]
