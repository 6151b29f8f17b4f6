"""Perturbations of images: what a localizer may meet that its test split does not hold.

Each acts on one image, uint8 0..255, `[height, width, channels]`, and changes nothing that it
is given; amounts are shares of the full scale.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from mnist_localization.data.boxes import (
    ANNOTATION_COLUMNS,
    BOX_COLUMNS,
    FloatArray,
    input_corners,
    pixel_corners,
)
from mnist_localization.data.images import ImageStore

Pixels = npt.NDArray[np.uint8]

FULL_SCALE = 255
CLUTTER_PIECES = 8
FRAGMENT_SIDE = 8  # pixels

_FRAGMENTS = 512
# A pixel brighter than this is taken for ink, not background.
_INK = FULL_SCALE // 2


@dataclass(frozen=True)
class Perturbation:
    """One way to change an image.

    Attributes:
        name: As in the table `robustness`.
        change: Image, its box in pixels and a generator to the changed image.
        scale: Factor of the box's sides; other than none, boxes leave the whole pixels.
    """

    name: str
    change: Callable[[Pixels, FloatArray, np.random.Generator], Pixels]
    scale: float | None = None


def standard_perturbations(fragments: Pixels) -> tuple[Perturbation, ...]:
    """The rows of the table `robustness`.

    Args:
        fragments: Pieces that clutter is made of, `[n, side, side, channels]`.
    """
    return (
        Perturbation("clean", lambda image, _box, _random: image),
        Perturbation("noise 0.1", lambda image, _box, random: noisy(image, 0.1, random)),
        Perturbation("noise 0.2", lambda image, _box, random: noisy(image, 0.2, random)),
        Perturbation("clutter", lambda image, _box, random: cluttered(image, fragments, random)),
        Perturbation("brightness +0.2", lambda image, _box, _random: brighter(image, 0.2)),
        Perturbation("contrast 0.5", lambda image, _box, _random: with_contrast(image, 0.5)),
        *(_scaling(factor) for factor in (0.7, 1.0, 1.4)),
    )


def noisy(image: Pixels, sigma: float, generator: np.random.Generator) -> Pixels:
    """Gaussian noise of a standard deviation, added to every pixel and channel."""
    return with_noise(image, sigma, generator.standard_normal(image.shape, dtype=np.float32))


def with_noise(image: Pixels, sigma: float, noise: npt.NDArray[np.float32]) -> Pixels:
    """Given noise of standard deviation one, multiplied by `sigma` and added."""
    values = noise * np.float32(FULL_SCALE * sigma)
    values += image
    return _to_pixels(values)


def brighter(image: Pixels, amount: float) -> Pixels:
    """An amount added to every pixel."""
    return _to_pixels(image + np.float32(FULL_SCALE * amount))


def with_contrast(image: Pixels, factor: float) -> Pixels:
    """Distances from the image's mean intensity, multiplied by a factor."""
    mean = np.float32(image.mean())
    return _to_pixels(mean + factor * (image - mean))


def cluttered(image: Pixels, fragments: Pixels, generator: np.random.Generator) -> Pixels:
    """Fragments at random places; where they overlap, the brighter pixel is seen.

    Args:
        image: The image.
        fragments: `[n, side, side, channels]`, no larger than the image.
        generator: Draws fragments and places.
    """
    result = image.copy()
    height, width, _ = image.shape
    side = fragments.shape[1]
    # Drawn all at once: for so small numbers, each call takes longer than what it does.
    drawn, ys, xs = (
        generator.integers(limit, size=CLUTTER_PIECES).tolist()
        for limit in (len(fragments), height - side + 1, width - side + 1)
    )
    for number, y, x in zip(drawn, ys, xs, strict=True):
        place = result[y : y + side, x : x + side]
        np.maximum(place, fragments[number], out=place)
    return result


def scaled_box(box: FloatArray, factor: float, height: int, width: int) -> FloatArray:
    """A box with its sides multiplied by a factor, around its center or as near as fits.

    Args:
        box: Corners in pixels, `[4]`.
        factor: Factor of the sides; less where the image is too small.
        height: Rows of the image.
        width: Columns of the image.
    """
    left, top, right, bottom = box.tolist()
    across, down = right - left, bottom - top
    fitting = min(factor, width / max(across, 1e-9), height / max(down, 1e-9))
    across, down = across * fitting, down * fitting
    low_x = min(max((left + right - across) / 2, 0.0), width - across)
    low_y = min(max((top + bottom - down) / 2, 0.0), height - down)
    return np.array([low_x, low_y, low_x + across, low_y + down])


def with_moved_frame(image: Pixels, box: FloatArray, target: FloatArray) -> Pixels:
    """The content of a box drawn into another, on the image's median color.

    Of a box thinner than a pixel, the pixel around it is drawn, likewise into a pixel.

    Args:
        image: The image.
        box: Corners in pixels, `[4]`.
        target: Corners in pixels of the box that shows the content in the result, `[4]`.
    """
    height, width, channels = image.shape
    left, top, right, bottom = _at_least_a_pixel(box, height, width)
    to_left, to_top, to_right, to_bottom = _at_least_a_pixel(target, height, width)
    x = _Way.along(left, right, to_left, to_right, width)
    y = _Way.along(top, bottom, to_top, to_bottom, height)
    # Every third row says it as well as all of them.
    background = [_median(image[::3, :, channel]) for channel in range(channels)]
    # A margin of background, so that edges blend into it.
    alone = np.empty((y.stop - y.start + 2, x.stop - x.start + 2, channels), np.uint8)
    alone[:] = background
    alone[1:-1, 1:-1] = image[y.start : y.stop, x.start : x.stop]
    moved = Image.fromarray(alone if channels > 1 else alone[:, :, 0]).transform(
        (x.to_stop - x.to_start, y.to_stop - y.to_start),
        Image.Transform.AFFINE,
        (x.step, 0.0, x.first, 0.0, y.step, y.first),
        resample=Image.Resampling.BILINEAR,
        fillcolor=tuple(background) if channels > 1 else background[0],
    )
    result = np.empty_like(image)
    result[:] = background
    place = result[y.to_start : y.to_stop, x.to_start : x.to_stop]
    place[:] = np.asarray(moved).reshape(place.shape)
    return result


@dataclass(frozen=True)
class _Way:
    """Where a frame lies along one axis, where it goes, and the way back.

    Attributes:
        start: First pixel that holds some of it.
        stop: The pixel after the last one.
        to_start: First pixel of the part of the result that shows it.
        to_stop: The pixel after the last one.
        step: Pixels of the image for each pixel of the result.
        first: Place in the image, with a pixel's margin before `start`, of `to_start`.
    """

    start: int
    stop: int
    to_start: int
    to_stop: int
    step: float
    first: float

    @classmethod
    def along(cls, low: float, high: float, to_low: float, to_high: float, extent: int) -> "_Way":
        """From `low` to `high` in the image, to `to_low` to `to_high` in the result."""
        start, step = math.floor(low), (high - low) / (to_high - to_low)
        # Only where the result shows the object.
        to_start = max(math.floor(to_low) - 2, 0)
        to_stop = min(math.ceil(to_high) + 2, extent)
        first = low - (to_low - to_start) * step - (start - 1)
        return cls(start, math.ceil(high), to_start, to_stop, step, first)


def _at_least_a_pixel(
    box: FloatArray, height: int, width: int
) -> tuple[float, float, float, float]:
    """A box inside the image whose sides are a pixel or more, around its center or near it."""
    left, top, right, bottom = box.tolist()
    left, right = _side_of_a_pixel(left, right, width)
    top, bottom = _side_of_a_pixel(top, bottom, height)
    return left, top, right, bottom


def _side_of_a_pixel(low: float, high: float, extent: int) -> tuple[float, float]:
    lacking = max(1.0 - (high - low), 0.0) / 2
    first = min(max(low - lacking, 0.0), extent - 1.0)
    return first, min(max(high + lacking, first + 1.0), float(extent))


def _median(values: npt.NDArray[np.uint8]) -> int:
    """The middle value, of counts: many times faster than sorting."""
    counts = np.bincount(values.ravel(), minlength=FULL_SCALE + 1)
    return int(np.searchsorted(np.cumsum(counts), values.size / 2))


def ink_fragments(store: ImageStore, seed: int) -> Pixels:
    """Square pieces of a split's objects, each around a bright pixel within a box.

    Args:
        store: The split; where no box holds a bright pixel, the pieces lie anywhere in it.
        seed: Seed of the draw.

    Returns:
        `[n, 8, 8, channels]`, uint8.
    """
    generator = np.random.default_rng(seed)
    height, width, channels = store.shape
    rows = np.sort(generator.integers(len(store), size=_FRAGMENTS))
    boxes = pixel_corners(input_corners(store.annotations)[rows], height, width)
    pieces = np.empty((_FRAGMENTS, FRAGMENT_SIDE, FRAGMENT_SIDE, channels), np.uint8)
    for piece, image, box in zip(pieces, store.read(rows), boxes, strict=True):
        left, top, right, bottom = map(int, _at_least_a_pixel(np.round(box), height, width))
        inside = image[top:bottom, left:right].max(axis=2) > _INK
        ys, xs = np.nonzero(inside if inside.any() else np.ones_like(inside))
        chosen = generator.integers(len(ys))
        y = np.clip(top + ys[chosen] - FRAGMENT_SIDE // 2, 0, height - FRAGMENT_SIDE)
        x = np.clip(left + xs[chosen] - FRAGMENT_SIDE // 2, 0, width - FRAGMENT_SIDE)
        piece[:] = image[y : y + FRAGMENT_SIDE, x : x + FRAGMENT_SIDE]
    return pieces


class PerturbedImages:
    """A split whose images are changed when they are read, each in its own repeatable way.

    Attributes:
        annotations: Those of the split, with the boxes as they are in the changed images; of
            images that were fitted into the model's input, relative to that input.
        shape: Height, width, channels of each image.
    """

    def __init__(self, store: ImageStore, perturbation: Perturbation, seed: int) -> None:
        """Wrap a split.

        Args:
            store: The split.
            perturbation: What is done to each image.
            seed: With the number of its row, seeds what is drawn for an image.
        """
        self._store, self._perturbation, self._seed = store, perturbation, seed
        self.shape = store.shape
        height, width, _ = store.shape
        corners = input_corners(store.annotations)
        self._boxes = pixel_corners(corners, height, width)
        self.annotations: pd.DataFrame = store.annotations[list(ANNOTATION_COLUMNS)].copy()
        self.annotations[list(BOX_COLUMNS)] = corners
        if perturbation.scale is not None:
            scaled = [scaled_box(box, perturbation.scale, height, width) for box in self._boxes]
            relative = np.stack(scaled) / [width, height, width, height]
            self.annotations[list(BOX_COLUMNS)] = relative

    def __len__(self) -> int:
        return len(self._store)

    def read(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Pixels:
        """Changed images of the given rows, `[n, height, width, channels]`."""
        images = self._store.read(indices)
        for image, index in zip(images, indices, strict=True):
            generator = np.random.default_rng([self._seed, int(index)])
            image[:] = self._perturbation.change(image, self._boxes[int(index)], generator)
        return images


def _scaling(factor: float) -> Perturbation:
    return Perturbation(
        f"scale {factor}",
        lambda image, box, _random: with_moved_frame(
            image, box, scaled_box(box, factor, *image.shape[:2])
        ),
        scale=factor,
    )


def _to_pixels(values: npt.NDArray[Any]) -> Pixels:
    """Whole numbers 0..255; the values, floats that nobody else holds, are changed."""
    np.rint(values, out=values)
    np.clip(values, 0, FULL_SCALE, out=values)
    return values.astype(np.uint8)
