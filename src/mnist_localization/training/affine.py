"""Random affine maps of images and their boxes: one matrix per image moves pixels and corners.

Maps are computed in float64 and rounded to float32 at the end. The last bits of a function such as
the exponential depend on the place in a batch, and an image must be augmented alike in every batch.
"""

import math
from dataclasses import dataclass
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import numpy as np
import tensorflow as tf

from mnist_localization.config.train import AugmentationSettings

# Random numbers of an image: flip, scale, rotation, shear, horizontal and vertical place.
RANDOM_NUMBERS = 6

# Pixels of each side of an image from which its background is estimated.
_BORDER_PIXELS = 25


@dataclass(frozen=True)
class AffineMaps:
    """A map for each image, `point -> linear @ (point - center) + target`, in pixels `(x, y)`.

    All are float64.

    Attributes:
        size: Width and height of the images, `[2]`.
        linear: `[n, 2, 2]`.
        center: Centers of the boxes, `[n, 2]`.
        target: Places of the centers in the new images, `[n, 2]`.
        extent: Half of width and height of the new boxes, `[n, 2]`.
    """

    size: Any
    linear: Any
    center: Any
    target: Any
    extent: Any


def draw_maps(
    boxes: Any, random: Any, settings: AugmentationSettings, height: int, width: int
) -> AffineMaps:
    """Draw maps that keep the boxes inside the images.

    A box that would be larger than the image is scaled down to fit. The center of the new box is
    drawn uniformly from the places within the translation at which the box is inside the image; if
    there are none, it is the nearest place inside.

    Args:
        boxes: Relative corners, `[n, 4]`.
        random: Uniform numbers in [0, 1), `[n, RANDOM_NUMBERS]`.
        settings: Section `train.augmentation`, of which flip, translation, scale, rotation and
            shear are used.
        height: Rows of the images.
        width: Columns of the images.
    """
    boxes, random = tf.cast(boxes, tf.float64), tf.cast(random, tf.float64)
    size = tf.constant([width, height], tf.float64)
    flips, scales, turns, slants, x, y = tf.unstack(random, axis=1)
    half = (boxes[:, 2:] - boxes[:, :2]) / 2.0 * size
    center = (boxes[:, 2:] + boxes[:, :2]) / 2.0 * size
    flip = 1.0 - 2.0 * tf.cast(flips < settings.flip, tf.float64)
    scale = tf.exp((2.0 * scales - 1.0) * math.log1p(settings.scale))
    angle = (2.0 * turns - 1.0) * math.radians(settings.rotation)
    slant = tf.tan((2.0 * slants - 1.0) * math.radians(settings.shear))
    sine, cosine = tf.sin(angle), tf.cos(angle)
    # Flip and scale, then shear along the rows, then rotate.
    entries = [flip * cosine, slant * cosine - sine, flip * sine, slant * sine + cosine]
    linear = tf.reshape(scale[:, None] * tf.stack(entries, axis=1), (-1, 2, 2))
    extent = tf.linalg.matvec(tf.abs(linear), half)
    fitting = tf.reduce_min(tf.minimum(size / 2.0 / extent, 1.0), axis=1)
    linear, extent = linear * fitting[:, None, None], extent * fitting[:, None]
    reach = settings.translation * size
    first = tf.clip_by_value(center - reach, extent, size - extent)
    last = tf.clip_by_value(center + reach, extent, size - extent)
    target = first + tf.stack([x, y], axis=1) * (last - first)
    return AffineMaps(size, linear, center, target, extent)


def transform_boxes(maps: AffineMaps) -> Any:
    """Return the axis-parallel boxes around the transformed boxes, `[n, 4]`, float32 in [0, 1].

    A rotated or sheared box is enclosed by a larger one: at 5 degrees, a square grows by 8 %.
    """
    corners = tf.concat([maps.target - maps.extent, maps.target + maps.extent], axis=1)
    return tf.cast(tf.clip_by_value(corners / tf.tile(maps.size, [2]), 0.0, 1.0), tf.float32)


def transform_images(images: Any, maps: AffineMaps, *, axis_parallel: bool) -> Any:
    """Resample images bilinearly, with their background color around them.

    Args:
        images: uint8, `[n, height, width, channels]`.
        maps: The maps.
        axis_parallel: Whether all maps are without rotation and shear, which is faster.
    """
    background = estimate_background(images)
    # Both ways of resampling fill with zeros.
    pixels = tf.cast(images, tf.float32) - background
    inverse = tf.linalg.inv(maps.linear)
    # Pixel i has its middle at i + 0.5.
    origin = maps.center - 0.5 + tf.linalg.matvec(inverse, 0.5 - maps.target)
    resample = _resample_axes if axis_parallel else _resample_plane
    moved = resample(pixels, tf.cast(inverse, tf.float32), tf.cast(origin, tf.float32))
    return tf.cast(moved + (background + 0.5), tf.uint8)


def estimate_background(images: Any) -> Any:
    """Return a row of the median color of the outermost pixels.

    Returns:
        float32 `[n, 1, width, channels]`. Sums with a single pixel take ten times longer.
    """
    _, height, width, channels = images.shape
    rows, columns = (max(1, side // _BORDER_PIXELS) for side in (height, width))
    sides = [images[:, 0, ::columns], images[:, -1, ::columns]]
    sides += [images[:, ::rows, 0], images[:, ::rows, -1]]
    border = tf.transpose(tf.concat(sides, axis=1), (0, 2, 1))
    upper_half = tf.math.top_k(border, border.shape[2] // 2 + 1).values
    median = tf.reshape(upper_half[..., -1], (-1, 1, 1, channels))
    return tf.tile(tf.cast(median, tf.float32), (1, 1, width, 1))


def _resample_plane(images: Any, inverse: Any, origin: Any) -> Any:
    """Return the values at `inverse @ pixel + origin` for each pixel `(x, y)`; 0 outside."""
    columns = [inverse[:, 0], origin[:, :1], inverse[:, 1], origin[:, 1:], tf.zeros_like(origin)]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.concat(columns, axis=1),
        output_shape=images.shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _resample_axes(images: Any, inverse: Any, origin: Any) -> Any:
    """Return the same for diagonal matrices, by a product for the columns and one for the rows.

    Rows of zeros are left out, so that small objects on a plain background take a quarter of the
    time. Coordinates are rounded to 1 / 256, which makes the products exact in every order.
    """
    _, height, width, _ = images.shape
    is_filled = tf.cast(tf.reduce_any(images != 0.0, axis=(2, 3)), tf.int32)
    first = tf.argmax(is_filled, axis=1, output_type=tf.int32)
    end = height - tf.argmax(is_filled[:, ::-1], axis=1, output_type=tf.int32)
    count = tf.maximum(tf.reduce_max(end - first), 0)  # 0 if there are no images
    rows = tf.minimum(first, height - count)[:, None] + tf.range(count)
    factors, starts = tf.linalg.diag_part(inverse) * 256.0, origin * 256.0
    x, y = (
        tf.round(factors[:, i, None] * np.arange(side, dtype=np.float32) + starts[:, i, None])
        / 256.0
        for i, side in enumerate((width, height))
    )
    weights_x = _bilinear_weights(x[:, None, :] - np.arange(width, dtype=np.float32)[:, None])
    weights_y = _bilinear_weights(y[:, :, None] - tf.cast(rows, tf.float32)[:, None, :])
    channels = tf.transpose(tf.gather(images, rows, batch_dims=1), (0, 3, 1, 2))
    moved = tf.matmul(weights_y[:, None], tf.matmul(channels, weights_x[:, None]))
    return tf.transpose(moved, (0, 2, 3, 1))


def _bilinear_weights(distances: Any) -> Any:
    """Return the weights of pixels, given the distances from their middles along an axis."""
    return tf.maximum(0.0, 1.0 - tf.abs(distances))
