"""Random changes of the pixels of images, batched; their boxes stay as they are.

Each function takes uint8 images `[n, height, width, channels]` and uniform random numbers in [0, 1)
`[n, count]`, and returns new images.
"""

import math
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import numpy as np
import tensorflow as tf

from mnist_localization.training.affine import estimate_background

FULL_SCALE = 255.0
NOISE_LINES = 2048

# Weights of red, green and blue in the gray value (ITU-R BT.601).
_GRAY = (0.299, 0.587, 0.114)
# A full turn of the colors would give skies and skins any color.
_LARGEST_TURN = math.pi / 4


def add_clutter(images: Any, random: Any, fragments: Any) -> Any:
    """Draw fragments at random places, but keep pixels that differ more from the background.

    Args:
        images: The images.
        random: `[n, 3 * pieces]`.
        fragments: Pieces of objects, uint8 `[m, side, side, channels]`.
    """
    _, height, width, channels = images.shape
    side, pieces = fragments.shape[1], random.shape[1] // 3
    limits = [len(fragments), height - side + 1, width - side + 1]
    chosen, top, left = tf.unstack(to_integers(tf.reshape(random, (-1, pieces, 3)), limits), axis=2)
    # Rows and columns of each piece, and the positions of its pixels in the flattened images.
    y, x = (first[:, :, None] + np.arange(side, dtype=np.int32) for first in (top, left))
    first_row = tf.range(tf.shape(images)[0])[:, None, None] * height
    positions = ((first_row + y) * width)[:, :, :, None] + x[:, :, None, :]
    flat = tf.reshape(images, (-1, channels))
    old, new = tf.gather(flat, positions), tf.gather(fragments, chosen)
    background = estimate_background(images)[:, :, None, :1]
    old_distance, distance = (
        tf.reduce_max(tf.abs(tf.cast(pixels, tf.float32) - background), axis=-1, keepdims=True)
        for pixels in (old, new)
    )
    drawn = tf.where(distance > old_distance, new, old)
    changed = tf.tensor_scatter_nd_update(flat, positions[..., None], drawn)
    return tf.reshape(changed, tf.shape(images))


def cut_out(images: Any, boxes: Any, random: Any, limit: float) -> Any:
    """Erase a rectangle around a random point of each box with the color of the background.

    Args:
        images: The images.
        boxes: Relative corners of the objects, `[n, 4]`.
        random: `[n, 4]`.
        limit: Largest side of the rectangle, relative to that of the box.
    """
    _, height, width, channels = images.shape
    sides = boxes[:, 2:] - boxes[:, :2]
    middle = boxes[:, :2] + random[:, :2] * sides
    half = random[:, 2:] * sides * (limit / 2.0)
    erased = tf.concat([middle - half, middle + half], axis=1)
    in_rows, in_columns = covered(erased, np.arange(height), np.arange(width), height, width)
    # All of one shape, because a choice between shapes takes several times longer.
    is_erased = in_rows[:, :, None] & tf.repeat(in_columns, channels, axis=1)[:, None, :]
    background = tf.tile(tf.cast(estimate_background(images), tf.uint8), (1, height, 1, 1))
    return tf.where(tf.reshape(is_erased, tf.shape(images)), background, images)


def blur(images: Any, random: Any, limit: float) -> Any:
    """Blur with a Gaussian whose standard deviation is at most `limit` pixels; `[n, 1]` numbers."""
    sigma = tf.maximum(tf.cast(random, tf.float64) * limit, 1e-3)[:, :, None, None]
    _, height, width, _ = images.shape
    radius = min(math.ceil(2 * limit), height - 1, width - 1)
    weights = [tf.exp(-0.5 * (step / sigma) ** 2) for step in range(-radius, radius + 1)]
    # In float64 up to here, as in `affine`.
    weights = [tf.cast(each / tf.add_n(weights), tf.float32) for each in weights]
    pad = [radius, radius]
    pixels = tf.pad(tf.cast(images, tf.float32), [[0, 0], pad, pad, [0, 0]], "SYMMETRIC")
    rows = tf.add_n([each * pixels[:, i : i + height] for i, each in enumerate(weights)])
    both = tf.add_n([each * rows[:, :, i : i + width] for i, each in enumerate(weights)])
    return to_pixels(both)


def change_light(
    images: Any, random: Any, limits: tuple[float, float, float], *, combine: bool
) -> Any:
    """Change brightness, contrast and, of color images, the colors.

    Brightness is added. Contrast is reduced: differences from the mean of the image are multiplied
    by a factor. Colors are turned around the gray axis by up to 45 degrees, and the distance from
    it is multiplied by a factor.

    Args:
        images: The images.
        random: `[n, 5]`.
        limits: Largest change of brightness, relative to the full scale; largest loss of contrast;
            strength of the change of colors, which must be 0 for gray images.
        combine: Whether each image gets all of them; otherwise it gets one of those above 0.
    """
    used = [index for index, limit in enumerate(limits) if limit]
    chosen = tf.gather(used, to_integers(random[:, 4], len(used)))
    brightness, contrast, color = (
        limit * tf.ones_like(random[:, 0])
        if combine
        else limit * tf.cast(chosen == index, tf.float32)
        for index, limit in enumerate(limits)
    )
    signed = 2.0 * random - 1.0
    shift = (signed[:, 0] * brightness * FULL_SCALE)[:, None, None, None]
    factor = (1.0 - random[:, 1] * contrast)[:, None, None, None]
    pixels = tf.cast(images, tf.float32)
    # Of integers, because a sum of floats depends on the order.
    total = tf.reduce_sum(tf.cast(images, tf.int32), axis=(1, 2, 3), keepdims=True)
    mean = tf.cast(total, tf.float32) / math.prod(images.shape[1:])
    if limits[2]:
        pixels = _change_colors(pixels, signed[:, 2] * color, 1.0 + signed[:, 3] * color)
    return to_pixels(factor * pixels + (mean * (1.0 - factor) + shift))


def _change_colors(pixels: Any, turn: Any, saturation: Any) -> Any:
    """Turn colors around the gray axis (Rodrigues' formula), and scale the distance from it.

    Args:
        pixels: float32, `[n, height, width, 3]`.
        turn: Angle relative to the largest one, `[n]`.
        saturation: Factor, `[n]`.
    """
    angle, saturation = (turn * _LARGEST_TURN)[:, None, None], saturation[:, None, None]
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32) / math.sqrt(3)
    rotation = tf.cos(angle) * np.eye(3, dtype=np.float32) + tf.sin(angle) * across
    rotation += (1.0 - tf.cos(angle)) / 3.0
    gray = np.tile(np.array(_GRAY, np.float32), (3, 1))
    matrix = saturation * rotation + (1.0 - saturation) * gray
    flat = tf.reshape(pixels, (-1, pixels.shape[1] * pixels.shape[2], 3))
    return tf.reshape(tf.matmul(flat, matrix, transpose_b=True), tf.shape(pixels))


def add_noise(images: Any, random: Any, limit: float, lines: Any) -> Any:
    """Add normally distributed noise.

    Args:
        images: The images.
        random: `[n, 1 + height]`.
        limit: Largest standard deviation, relative to the full scale.
        lines: Noise of standard deviation one, `[m, width * channels]`, of which the lines of each
            image are drawn, because new noise for each image takes longer.
    """
    _, _, width, channels = images.shape
    chosen = to_integers(random[:, 1:], len(lines))
    noise = tf.reshape(tf.gather(lines, chosen), (-1, chosen.shape[1], width, channels))
    sigma = random[:, :1] * (FULL_SCALE * limit)
    return to_pixels(tf.cast(images, tf.float32) + sigma[:, :, None, None] * noise)


def covered(boxes: Any, y: Any, x: Any, height: int, width: int) -> tuple[Any, Any]:
    """Return which rows and which columns of pixels boxes cover, also partly.

    Args:
        boxes: Relative corners, `[..., 4]`.
        y: Rows, `[..., m]`.
        x: Columns, `[..., m]`.
        height: Rows of the image.
        width: Columns of the image.
    """
    left, top, right, bottom = tf.split(boxes * [width, height, width, height], 4, axis=-1)
    y, x = tf.cast(y, tf.float32), tf.cast(x, tf.float32)
    return (y > top - 1.0) & (y < bottom), (x > left - 1.0) & (x < right)


def to_integers(random: Any, limits: Any) -> Any:
    """Convert uniform numbers in [0, 1) to uniform integers in [0, limit)."""
    limits = tf.constant(limits, tf.float32)
    # A product may be rounded up to the limit.
    return tf.cast(tf.minimum(random * limits, limits - 1.0), tf.int32)


def to_pixels(values: Any) -> Any:
    """Round to the nearest integer and clip to 0..255."""
    # Casts cut off decimals.
    return tf.cast(tf.clip_by_value(values + 0.5, 0.0, FULL_SCALE), tf.uint8)
