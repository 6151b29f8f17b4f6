"""Letterboxing: an image of any size in the model's input, and boxes there and back.

The image keeps its aspect ratio, touches two opposite borders and lies in the middle; the rest
is padding. A placement says where it lies: `left, top, width, height`, relative to the input.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]


def placements(
    heights: npt.ArrayLike, widths: npt.ArrayLike, height: int, width: int
) -> FloatArray:
    """Where images of the given sizes lie in the model's input.

    Args:
        heights: Rows of each image, pixels, `[n]`.
        widths: Columns of each image, pixels, `[n]`.
        height: Rows of the input, pixels.
        width: Columns of the input, pixels.

    Returns:
        `left, top, width, height` of each, relative to the input, `[n, 4]`; of an image of the
        input's size `0, 0, 1, 1`.
    """
    sides = np.stack([np.ravel(widths), np.ravel(heights)], axis=1).astype(np.float64)
    extent = np.array([width, height], dtype=np.float64)
    scale = (extent / sides).min(axis=1, keepdims=True)
    # Whole pixels, so that the placement is exactly where the pixels are.
    placed = np.clip(np.floor(sides * scale + 0.5), 1.0, extent)
    corner = np.floor((extent - placed) / 2)
    return np.hstack([corner / extent, placed / extent])


def letterboxed(image: Pixels, height: int, width: int, background: int = 0) -> Pixels:
    """An image in the model's input; one that has its size already stays as it is, to the bit.

    Args:
        image: Pixels, uint8, `[rows, columns, channels]`, 1 or 3 channels.
        height: Rows of the input, pixels.
        width: Columns of the input, pixels.
        background: Gray value of the padding, 0..255.

    Returns:
        Pixels, uint8, `[height, width, channels]`; the image lies at its `placements`.
    """
    rows, columns, channels = image.shape
    if (rows, columns) == (height, width):
        return image
    left, top, placed_width, placed_height = _pixels(
        placements(rows, columns, height, width)[0], height, width
    )
    flat = image[..., 0] if channels == 1 else image
    resized = Image.fromarray(np.ascontiguousarray(flat)).resize(
        (placed_width, placed_height), Image.Resampling.BILINEAR
    )
    result = np.full((height, width, channels), background, dtype=np.uint8)
    result[top : top + placed_height, left : left + placed_width] = np.asarray(resized).reshape(
        placed_height, placed_width, channels
    )
    return result


def without_padding(image: Pixels, placed: npt.ArrayLike) -> Pixels:
    """The part of a letterboxed image that shows the original.

    Args:
        image: Pixels, uint8, `[height, width, channels]`.
        placed: The image's placement, `[4]`.
    """
    left, top, placed_width, placed_height = _pixels(placed, *image.shape[:2])
    return image[top : top + placed_height, left : left + placed_width]


def into_input(boxes: npt.ArrayLike, placed: npt.ArrayLike) -> FloatArray:
    """Boxes relative to their images, as boxes relative to the model's input.

    Args:
        boxes: Corners relative to each original image, `[n, 4]`.
        placed: Placement of each image, `[n, 4]` or `[4]`.

    Returns:
        Corners relative to the input, `[n, 4]`.
    """
    offset, scale = _offset_and_scale(placed)
    return _corners(boxes) * scale + offset


def into_original(boxes: npt.ArrayLike, placed: npt.ArrayLike) -> FloatArray:
    """Boxes relative to the model's input, as boxes relative to their images.

    The inverse of `into_input`; a corner in the padding comes out beyond [0, 1].

    Args:
        boxes: Corners relative to the input, `[n, 4]`.
        placed: Placement of each image, `[n, 4]` or `[4]`.

    Returns:
        Corners relative to each original image, `[n, 4]`.
    """
    offset, scale = _offset_and_scale(placed)
    return (_corners(boxes) - offset) / scale


def _pixels(placed: npt.ArrayLike, height: int, width: int) -> tuple[int, int, int, int]:
    whole = np.rint(np.asarray(placed) * [width, height, width, height]).astype(int)
    left, top, placed_width, placed_height = whole.tolist()
    return left, top, placed_width, placed_height


def _offset_and_scale(placed: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    rows = np.asarray(placed, dtype=np.float64).reshape(-1, 4)
    return np.tile(rows[:, :2], 2), np.tile(rows[:, 2:], 2)


def _corners(boxes: npt.ArrayLike) -> FloatArray:
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
