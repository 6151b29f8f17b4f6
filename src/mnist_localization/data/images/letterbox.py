"""Letterboxing: images of any size in the model input, and boxes to and from the input frame.

The image keeps its aspect ratio, touches two opposite borders and is centered; the rest is
padding. A placement is `left, top, width, height` of the image, relative to the input.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from mnist_localization.data.boxes import FloatArray, as_boxes
from mnist_localization.data.images.decode import Pixels


def compute_placements(
    heights: npt.ArrayLike, widths: npt.ArrayLike, height: int, width: int
) -> FloatArray:
    """Return where images of the given sizes lie in the model input.

    Args:
        heights: Rows of each image, pixels, `[n]`.
        widths: Columns of each image, pixels, `[n]`.
        height: Rows of the input, pixels.
        width: Columns of the input, pixels.

    Returns:
        Placements, `[n, 4]`; `0, 0, 1, 1` for an image of the input's size.
    """
    sides = np.stack([np.ravel(widths), np.ravel(heights)], axis=1).astype(np.float64)
    extent = np.array([width, height], dtype=np.float64)
    scale = (extent / sides).min(axis=1, keepdims=True)
    # Whole pixels, so that placements match the resized pixels exactly.
    placed = np.clip(np.floor(sides * scale + 0.5), 1.0, extent)
    corner = np.floor((extent - placed) / 2)
    return np.hstack([corner / extent, placed / extent])


def fit_into_input(
    image: Pixels,
    height: int,
    width: int,
    background: int = 0,
    size: tuple[int, int] | None = None,
) -> Pixels:
    """Resize an image and pad it to the size of the model input.

    Args:
        image: Pixels, uint8, `[rows, columns, channels]`, 1 or 3 channels.
        height: Rows of the input, pixels.
        width: Columns of the input, pixels.
        background: Gray value of the padding, 0..255.
        size: Rows and columns of the original, if the image is a smaller copy of it.

    Returns:
        Pixels, uint8, `[height, width, channels]`, with the image at its placement. An image of
        the input's size is returned unchanged.
    """
    if image.shape[:2] == (height, width):
        return image
    channels = image.shape[2]
    rows, columns = size or image.shape[:2]
    left, top, placed_width, placed_height = _in_pixels(
        compute_placements(rows, columns, height, width)[0], height, width
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


def crop_padding(image: Pixels, placement: npt.ArrayLike) -> Pixels:
    """Return the part of a letterboxed image that shows the original.

    Args:
        image: Pixels, uint8, `[height, width, channels]`.
        placement: Placement of the image, `[4]`.
    """
    left, top, placed_width, placed_height = _in_pixels(placement, *image.shape[:2])
    return image[top : top + placed_height, left : left + placed_width]


def to_input_frame(boxes: npt.ArrayLike, placements: npt.ArrayLike) -> FloatArray:
    """Transform boxes from the frames of the original images to the frame of the model input.

    Args:
        boxes: Corners relative to each original image, `[n, 4]`.
        placements: Placement of each image, `[n, 4]` or `[4]`.

    Returns:
        Corners relative to the input, `[n, 4]`.
    """
    offset, scale = _offset_and_scale(placements)
    return as_boxes(boxes) * scale + offset


def to_original_frame(boxes: npt.ArrayLike, placements: npt.ArrayLike) -> FloatArray:
    """Transform boxes back to the frames of the original images.

    The inverse of `to_input_frame`. A corner in the padding is outside [0, 1] in the result.

    Args:
        boxes: Corners relative to the input, `[n, 4]`.
        placements: Placement of each image, `[n, 4]` or `[4]`.

    Returns:
        Corners relative to each original image, `[n, 4]`.
    """
    offset, scale = _offset_and_scale(placements)
    return (as_boxes(boxes) - offset) / scale


def _in_pixels(placement: npt.ArrayLike, height: int, width: int) -> tuple[int, int, int, int]:
    pixels = np.rint(np.asarray(placement) * [width, height, width, height]).astype(int)
    left, top, placed_width, placed_height = pixels.tolist()
    return left, top, placed_width, placed_height


def _offset_and_scale(placements: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    rows = as_boxes(placements)
    return np.tile(rows[:, :2], 2), np.tile(rows[:, 2:], 2)
