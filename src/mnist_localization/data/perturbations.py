"""Perturbations of images that test how robust a localizer is.

Images are uint8 0..255, `[height, width, channels]`; the given image is not changed. Amounts are
shares of the full scale.
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
from mnist_localization.data.images.decode import Pixels
from mnist_localization.data.images.store import ImageStore

FULL_SCALE = 255
CLUTTER_PIECES = 8

# Side of a fragment of clutter, relative to the shorter side of the image.
_FRAGMENT_SIDE = 0.08
_FRAGMENTS = 512
# Pixels of each side of an image from which its background is estimated.
_BORDER_PIXELS = 25


@dataclass(frozen=True)
class Perturbation:
    """One row of the table `robustness`.

    Attributes:
        name: Name in the table.
        change: Returns the changed image, from the image and a generator.
        scale: Factor of the sides of the object and its box; `None` if boxes stay on whole pixels.
    """

    name: str
    change: Callable[[Pixels, np.random.Generator], Pixels] = lambda image, _: image
    scale: float | None = None


def standard_perturbations(fragments: Pixels) -> tuple[Perturbation, ...]:
    """Return the perturbations of the table `robustness`.

    Args:
        fragments: Pieces of clutter, `[n, side, side, channels]`.
    """

    def noise(sigma: float) -> Perturbation:
        def change(image: Pixels, generator: np.random.Generator) -> Pixels:
            return add_noise(image, sigma, generator.standard_normal(image.shape, np.float32))

        return Perturbation(f"noise {sigma}", change)

    return (
        Perturbation("clean"),
        *(noise(sigma) for sigma in (0.1, 0.2)),
        Perturbation("clutter", lambda image, generator: add_clutter(image, fragments, generator)),
        Perturbation("brightness +0.2", lambda image, _: change_brightness(image, 0.2)),
        Perturbation("contrast 0.5", lambda image, _: change_contrast(image, 0.5)),
        *(Perturbation(f"scale {factor}", scale=factor) for factor in (0.7, 1.0, 1.4)),
    )


def add_noise(image: Pixels, sigma: float, noise: npt.NDArray[np.float32]) -> Pixels:
    """Add noise of standard deviation one, multiplied by `sigma`, to every pixel."""
    values = noise * np.float32(FULL_SCALE * sigma)
    values += image
    return _to_pixels(values)


def change_brightness(image: Pixels, amount: float) -> Pixels:
    """Add an amount to every pixel."""
    return _to_pixels(image + np.float32(FULL_SCALE * amount))


def change_contrast(image: Pixels, factor: float) -> Pixels:
    """Multiply the differences from the mean intensity by a factor."""
    mean = np.float32(image.mean())
    return _to_pixels(mean + factor * (image - mean))


def add_clutter(image: Pixels, fragments: Pixels, generator: np.random.Generator) -> Pixels:
    """Draw fragments at random places, but keep pixels that differ more from the background.

    Args:
        image: The image.
        fragments: `[n, side, side, channels]`, not larger than the image.
        generator: Draws fragments and places.
    """
    result = image.copy()
    background = background_color(image)
    height, width, _ = image.shape
    side = fragments.shape[1]
    # One call per array, because a call takes longer than drawing these few numbers.
    drawn, ys, xs = (
        generator.integers(limit, size=CLUTTER_PIECES).tolist()
        for limit in (len(fragments), height - side + 1, width - side + 1)
    )
    for number, y, x in zip(drawn, ys, xs, strict=True):
        place = result[y : y + side, x : x + side]
        fragment = fragments[number]
        is_seen = _distance(fragment, background) > _distance(place, background)
        np.copyto(place, fragment, where=is_seen[..., None])
    return result


def background_color(image: Pixels) -> npt.NDArray[np.int16]:
    """Return the median color of the outermost pixels, `[channels]`."""
    rows, columns = (max(1, side // _BORDER_PIXELS) for side in image.shape[:2])
    sides = [image[0, ::columns], image[-1, ::columns], image[::rows, 0], image[::rows, -1]]
    median: npt.NDArray[np.int16] = np.median(np.concatenate(sides), axis=0).astype(np.int16)
    return median


def _distance(pixels: Pixels, background: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return the largest difference of a channel from the background, `[height, width]`."""
    distance: npt.NDArray[np.int16] = np.abs(pixels - background).max(axis=2)
    return distance


def scale_box(box: FloatArray, factor: float, height: int, width: int) -> FloatArray:
    """Multiply the sides of a box by a factor, around its center if it fits there.

    Args:
        box: Corners in pixels, `[4]`.
        factor: Factor of the sides; reduced if the image is too small.
        height: Rows of the image.
        width: Columns of the image.
    """
    left, top, right, bottom = box.tolist()
    box_width, box_height = right - left, bottom - top
    fitting = min(factor, width / max(box_width, 1e-9), height / max(box_height, 1e-9))
    box_width, box_height = box_width * fitting, box_height * fitting
    low_x = min(max((left + right - box_width) / 2, 0.0), width - box_width)
    low_y = min(max((top + bottom - box_height) / 2, 0.0), height - box_height)
    return np.array([low_x, low_y, low_x + box_width, low_y + box_height])


def move_object(image: Pixels, box: FloatArray, target: FloatArray) -> Pixels:
    """Draw the content of a box into another box, on the median color of the image.

    A side shorter than a pixel is extended to one pixel, in both boxes.

    Args:
        image: The image.
        box: Corners in pixels, `[4]`.
        target: Corners in pixels of the box that shows the content in the result, `[4]`.
    """
    height, width, channels = image.shape
    left, top, right, bottom = _with_minimal_sides(box, height, width)
    to_left, to_top, to_right, to_bottom = _with_minimal_sides(target, height, width)
    step_x, step_y = (right - left) / (to_right - to_left), (bottom - top) / (to_bottom - to_top)
    # Every third row suffices for the median.
    background = [_median(image[::3, :, channel]) for channel in range(channels)]
    # A margin of background, so that edges blend into it.
    content = np.empty((height + 2, width + 2, channels), np.uint8)
    content[:] = background
    rows = slice(math.floor(top), math.ceil(bottom))
    columns = slice(math.floor(left), math.ceil(right))
    content[1:-1, 1:-1][rows, columns] = image[rows, columns]
    x, y = _window(to_left, to_right, step_x, width), _window(to_top, to_bottom, step_y, height)
    first_x, first_y = left + (x.start - to_left) * step_x, top + (y.start - to_top) * step_y
    moved = Image.fromarray(content if channels > 1 else content[:, :, 0]).transform(
        (x.stop - x.start, y.stop - y.start),
        Image.Transform.AFFINE,
        (step_x, 0.0, first_x + 1, 0.0, step_y, first_y + 1),
        resample=Image.Resampling.BILINEAR,
        fillcolor=tuple(background) if channels > 1 else background[0],
    )
    result = np.empty_like(image)
    result[:] = background
    result[y, x] = np.asarray(moved).reshape(y.stop - y.start, x.stop - x.start, channels)
    return result


def _window(start: float, end: float, step: float, size: int) -> slice:
    """Return the pixels that a moved object changes: beside it, edges blend into the background."""
    margin = 2 / step  # a pixel of the source that is partly in the box, and one to blend
    return slice(max(0, math.floor(start - margin)), min(size, math.ceil(end + margin)))


def cut_fragments(store: ImageStore, seed: int) -> Pixels:
    """Cut square pieces of a split's objects.

    Each is cut around a pixel within a box that differs from the background of the image by more
    than half of the largest difference.

    Args:
        store: The split.
        seed: Seed of the draw.

    Returns:
        `[n, side, side, channels]`, uint8.
    """
    generator = np.random.default_rng(seed)
    height, width, channels = store.shape
    side = max(1, round(_FRAGMENT_SIDE * min(height, width)))
    rows = np.sort(generator.integers(len(store), size=_FRAGMENTS))
    boxes = pixel_corners(store.read_input_corners()[rows], height, width)
    pieces = np.empty((_FRAGMENTS, side, side, channels), np.uint8)
    for piece, image, box in zip(pieces, store.read(rows), boxes, strict=True):
        left, top, right, bottom = map(int, _with_minimal_sides(np.round(box), height, width))
        distance = _distance(image[top:bottom, left:right], background_color(image))
        ys, xs = np.nonzero(distance >= distance.max() / 2)
        chosen = generator.integers(len(ys))
        y = np.clip(top + ys[chosen] - side // 2, 0, height - side)
        x = np.clip(left + xs[chosen] - side // 2, 0, width - side)
        piece[:] = image[y : y + side, x : x + side]
    return pieces


class PerturbedImages:
    """A split whose images are perturbed when they are read, each with its own seed.

    Attributes:
        annotations: Annotations of the perturbed images, relative to these images. They are in
            the frame of the model input, so no placement applies to them.
        shape: Height, width, channels of each image.
    """

    def __init__(self, store: ImageStore, perturbation: Perturbation, seed: int) -> None:
        """Wrap a split.

        Args:
            store: The split.
            perturbation: Perturbation of each image.
            seed: Seed; together with the row it determines what is drawn for an image.
        """
        self._store, self._perturbation, self._seed = store, perturbation, seed
        self.shape = store.shape
        height, width, _ = store.shape
        corners = input_corners(store.annotations)
        self._boxes = pixel_corners(corners, height, width)
        if (scale := perturbation.scale) is not None:
            scaled = [scale_box(box, scale, height, width) for box in self._boxes]
            self._scaled_boxes = np.stack(scaled)
            corners = self._scaled_boxes / [width, height, width, height]
        self.annotations: pd.DataFrame = store.annotations[list(ANNOTATION_COLUMNS)].copy()
        self.annotations[list(BOX_COLUMNS)] = corners

    def __len__(self) -> int:
        return len(self._store)

    def read(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Pixels:
        """Return the perturbed images of the given rows, `[n, height, width, channels]`."""
        images = self._store.read(indices)
        for image, index in zip(images, indices, strict=True):
            if self._perturbation.scale is None:
                generator = np.random.default_rng([self._seed, int(index)])
                image[:] = self._perturbation.change(image, generator)
            else:
                image[:] = move_object(image, self._boxes[index], self._scaled_boxes[index])
        return images


def _with_minimal_sides(
    box: FloatArray, height: int, width: int
) -> tuple[float, float, float, float]:
    """Return the box inside the image, with sides of at least a pixel."""
    left, top, right, bottom = box.tolist()
    left, right = _with_minimal_length(left, right, width)
    top, bottom = _with_minimal_length(top, bottom, height)
    return left, top, right, bottom


def _with_minimal_length(low: float, high: float, extent: int) -> tuple[float, float]:
    missing = max(1.0 - (high - low), 0.0) / 2
    first = min(max(low - missing, 0.0), extent - 1.0)
    return first, min(max(high + missing, first + 1.0), float(extent))


def _median(values: npt.NDArray[np.uint8]) -> int:
    """Return the median from the counts of all values, many times faster than by sorting."""
    counts = np.bincount(values.ravel(), minlength=FULL_SCALE + 1)
    return int(np.searchsorted(np.cumsum(counts), values.size / 2))


def _to_pixels(values: npt.NDArray[Any]) -> Pixels:
    """Round and clip to 0..255 in place, and return the pixels."""
    np.rint(values, out=values)
    np.clip(values, 0, FULL_SCALE, out=values)
    return values.astype(np.uint8)
