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
    of the centre, and the box's size.
    """

    def call(self, proposals: Any) -> Any:
        """Proposals `[batch, rows, columns, 5]` to relative corners `[batch, 4]`."""
        _, rows, columns, numbers = proposals.shape
        cells = ops.reshape(proposals, (-1, rows * columns, numbers))
        attention = ops.softmax(cells[..., :1], axis=1)
        x, y = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
        centres = np.stack([x, y], axis=-1).reshape(1, rows * columns, 2).astype("float32")
        centre = ops.sum(attention * (centres + 0.125 * cells[..., 1:3]), axis=1)
        # Starts at a quarter of the image: 0.25 * softplus(0.54) = 0.25.
        size = ops.sum(attention * 0.25 * ops.softplus(cells[..., 3:5] + 0.5413), axis=1)
        return ops.concatenate([centre - size / 2, centre + size / 2], axis=-1)


@keras.saving.register_keras_serializable(package="mnist_localization")
class Glimpse(keras.layers.Layer):
    """Resamples the window round a box to a fixed size.

    Each sample is a mean of pixels under a triangle that reaches to the samples beside it, and
    to a pixel's distance at least. Where samples are no closer than pixels, the triangles of
    all samples give every pixel inside the window the same weight and keep its position, so
    centres of mass are those of the image. It is two products of matrices, which is fast and
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
            centre, and the logarithm of the relative size.
        """
        images, boxes = inputs
        boxes = ops.stop_gradient(boxes)
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        side = ops.clip(boxes[:, 2:] - boxes[:, :2], _SMALLEST, 1.0)
        if training and self.jitter:
            moves = keras.random.uniform(
                (ops.shape(boxes)[0], 4), -self.jitter, self.jitter, seed=self.seed_generator
            )
            centre = centre + moves[:, :2] * side
            side = side * (1 + moves[:, 2:])
        side = side * self.margin
        _, height, width, channels = images.shape
        columns = self._kernels(centre[:, 0], side[:, 0], width)
        rows = self._kernels(centre[:, 1], side[:, 1], height)
        flat = ops.reshape(images, (-1, height, width * channels))
        lines = ops.reshape(ops.matmul(rows, flat), (-1, self.size, width, channels))
        lines = ops.reshape(ops.transpose(lines, (0, 2, 1, 3)), (-1, width, self.size * channels))
        glimpse = ops.reshape(ops.matmul(columns, lines), (-1, self.size, self.size, channels))
        window = ops.concatenate([centre, ops.log(side)], axis=-1)
        return ops.transpose(glimpse, (0, 2, 1, 3)), window

    def _kernels(self, centre: Any, side: Any, pixels: int) -> Any:
        """Weights of every pixel in every sample, `[batch, size, pixels]`."""
        spacing = side * (pixels / self.size)
        steps = np.arange(self.size, dtype="float32") + 0.5 - self.size / 2
        samples = centre[:, None] * pixels + steps[None, :] * spacing[:, None]
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
class TrustByDefault(keras.regularizers.Regularizer):
    """Cost of distrust: what is simple is trusted wholly, unless that costs more in the box.

    Without it a guess that is nearly right takes away the reason to trust what is exact.
    """

    def __init__(self, strength: float) -> None:
        """Set the cost.

        Args:
            strength: Added to the loss where nothing is trusted.
        """
        self.strength = strength

    def __call__(self, trust: Any) -> Any:
        """Trust in [0, 1] to its mean cost."""
        return self.strength * ops.mean(1.0 - trust)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal regularizer."""
        return {"strength": self.strength}


@keras.saving.register_keras_serializable(package="mnist_localization")
class Votes(keras.layers.Layer):
    """What each sample of a glimpse votes with: its brightness above that of the background."""

    def call(self, inputs: Any) -> Any:
        """Brightness `[batch, rows, columns, 1]` and background `[batch, 1]` to votes >= 0."""
        brightness, background = inputs
        return ops.relu(brightness - background[:, None, None, :])


@keras.saving.register_keras_serializable(package="mnist_localization")
class WindowCorners(keras.layers.Layer):
    """Corners from a centre and a size that are measured in a window."""

    def call(self, inputs: Any) -> Any:
        """Place a box of the window on the image.

        Args:
            inputs: Offset of the centre from the window's, over the window's side,
                `[batch, 2]`; logarithm of the size over it, `[batch, 2]`; windows `[batch, 4]`.

        Returns:
            Relative corners, `[batch, 4]`.
        """
        offset, size, window = inputs
        centre = window[:, :2] + offset * ops.exp(window[:, 2:])
        half = ops.exp(ops.clip(window[:, 2:] + size, -5.0, 0.5)) / 2
        return ops.concatenate([centre - half, centre + half], axis=-1)


@keras.saving.register_keras_serializable(package="mnist_localization")
class WeighedCorners(keras.layers.Layer):
    """A guessed box made exact where the pixels, or custom, know better.

    The centre is a mixture of the mean of the votes and the guess. That mean may lie at a
    constant distance from the centre that annotations mean, such as half a pixel where they
    count pixels from their corners: it is learned. The size is the typical one where the guess
    comes near it.
    """

    def __init__(
        self, typical_size: tuple[float, float] | None = None, tolerance: float = 0.0, **kwargs: Any
    ) -> None:
        """Set what is typical.

        Args:
            typical_size: Relative width and height; none takes every size as guessed.
            tolerance: Relative difference up to which a guess gives way to the typical size.
            **kwargs: Of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.typical_size = tuple(typical_size) if typical_size is not None else None
        self.tolerance = tolerance

    def build(self, input_shape: Any) -> None:
        """Make the constant distance, `[2]`, relative to the image."""
        self.displacement = self.add_weight(name="displacement", shape=(2,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Votes and guess to relative corners, `[batch, 4]`.

        Args:
            inputs: Votes `[batch, rows, columns, 1]`, not negative; trust in them along x and
                y, in [0, 1], `[batch, 2]`; guessed corners `[batch, 4]`; windows `[batch, 4]`.
        """
        votes, trust, guess, window = inputs
        _, rows, columns, _ = votes.shape
        across = ops.sum(votes[..., 0], axis=1) + 1e-6
        down = ops.sum(votes[..., 0], axis=2) + 1e-6
        x = ops.sum(across * _positions(columns), axis=1) / ops.sum(across, axis=1)
        y = ops.sum(down * _positions(rows), axis=1) / ops.sum(down, axis=1)
        voted = ops.stack([x, y], axis=-1) * ops.exp(window[:, 2:])
        voted = window[:, :2] + voted + self.displacement
        guessed = (guess[:, :2] + guess[:, 2:]) / 2
        centre = trust * voted + (1.0 - trust) * guessed
        size = self._exact_size(guess[:, 2:] - guess[:, :2])
        return ops.concatenate([centre - size / 2, centre + size / 2], axis=-1)

    def _exact_size(self, size: Any) -> Any:
        if self.typical_size is None:
            return size
        typical = ops.convert_to_tensor([self.typical_size], dtype=size.dtype)
        distance = ops.max(ops.abs(ops.log(size / typical)), axis=-1, keepdims=True)
        return ops.where(distance < self.tolerance, typical, size)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal layer."""
        return {
            **super().get_config(),
            "typical_size": self.typical_size,
            "tolerance": self.tolerance,
        }


def _positions(count: int) -> Any:
    """Positions of samples in a window of side 1 round 0."""
    return ((np.arange(count) + 0.5) / count - 0.5).astype("float32")[None, :]
