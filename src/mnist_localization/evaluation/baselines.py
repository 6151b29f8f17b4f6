"""Baselines without learning, to compare a model with.

`mean_box` predicts the same for every image. `center_of_mass` is the closed form for one object
of fixed size on a dark background: a box around the center of the intensity.
"""

import logging

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.data.boxes import (
    centers_of_mass,
    pixel_corners,
    whole_pixels,
)
from mnist_localization.data.images.store import ImageStore
from mnist_localization.evaluation.predictions import (
    AnnotatedImages,
    in_batches,
    prediction_table,
)

logger = logging.getLogger(__name__)

MEAN_BOX = "mean_box"
CENTER_OF_MASS = "center_of_mass"
# Name of each baseline to a phrase that completes "This baseline ...".
BASELINES = {
    MEAN_BOX: "always predicts the mean box and the most frequent class of the training images",
    CENTER_OF_MASS: (
        "predicts a box of fixed size around the center of the image's brightness, without "
        "learning, and the most frequent class"
    ),
}

FloatArray = npt.NDArray[np.float64]

# Boxes have one size if their sides differ by less than this, in pixels.
_SIZE_TOLERANCE = 0.01
# A background is dark if it contains less than this share of the intensity.
_DARK_SHARE = 0.01
# Training images that are examined for this, spread over the split.
_EXAMINED = 256
_BATCH = 512


def predict_baselines(
    training: ImageStore, split: ImageStore, whole_pixel_boxes: bool
) -> pd.DataFrame:
    """Predict a split with all baselines that apply.

    Args:
        training: The training split, from which the baselines take sizes and frequencies.
        split: The split to predict.
        whole_pixel_boxes: Whether the annotated boxes lie on whole pixels.

    Returns:
        One row per baseline and image: the column `baseline`, then those of the table
        `predictions`. A baseline that does not apply has no rows, and the reason is logged.
    """
    corners = training.read_input_corners()
    tables = {MEAN_BOX: mean_box(corners, training.labels, split.annotations)}
    if reason := closed_form_obstacle(training):
        logger.info("The baseline %s does not apply: %s", CENTER_OF_MASS, reason)
    else:
        snaps = whole_pixel_boxes and not (training.resized or split.resized)
        tables[CENTER_OF_MASS] = center_of_mass(training, split, snaps)
    table = pd.concat(tables, names=["baseline"]).reset_index(level="baseline")
    return table.reset_index(drop=True)


def mean_box(
    corners: FloatArray, labels: npt.NDArray[np.int64], annotations: pd.DataFrame
) -> pd.DataFrame:
    """Predict the mean box and the most frequent class of the training images for every image.

    Args:
        corners: Annotated corners of the training images, relative to the model input, `[n, 4]`.
        labels: Their labels, `[n]`.
        annotations: Annotations of the images to predict, `n` rows.

    Returns:
        `n` rows, columns of the table `predictions`; the confidence is the share of the class.
    """
    boxes = np.tile(corners.mean(axis=0), (len(annotations), 1))
    return prediction_table(annotations, *_most_frequent(labels), boxes, boxes)


def center_of_mass(
    training: ImageStore, split: AnnotatedImages, whole_pixel_boxes: bool
) -> pd.DataFrame:
    """Predict a box of the training boxes' size around the center of each image's intensity.

    Applies if `closed_form_obstacle` returns `None`.

    Args:
        training: The training split: source of the size and the most frequent class.
        split: The split to predict, `n` images; read in batches.
        whole_pixel_boxes: Whether to round the boxes to whole pixels.

    Returns:
        `n` rows, columns of the table `predictions`; `raw_*` are not rounded.
    """
    size = box_size(training)
    batches = in_batches(np.arange(len(split)), _BATCH, CENTER_OF_MASS)
    raw = np.concatenate([centered_boxes(split.read(rows), size) for rows in batches])
    boxes = snapped(raw, split.shape) if whole_pixel_boxes else raw
    return prediction_table(split.annotations, *_most_frequent(training.labels), boxes, raw)


def closed_form_obstacle(training: ImageStore) -> str | None:
    """Return why the closed form does not apply to a dataset, or `None` if it does."""
    spread = np.ptp(_box_sides(training), axis=0).max()
    if spread > _SIZE_TOLERANCE:
        return f"the training boxes differ in size, by up to {spread:.1f} pixels"
    rows = np.unique(np.linspace(0, len(training) - 1, _EXAMINED).astype(int))
    height, width, _ = training.shape
    boxes = pixel_corners(training.read_input_corners()[rows], height, width)
    corners = whole_pixels(boxes).astype(int)
    total = outside = 0.0
    for image, (xmin, ymin, xmax, ymax) in zip(training.read(rows), corners, strict=True):
        intensity = float(image.sum())
        total += intensity
        outside += intensity - float(image[ymin:ymax, xmin:xmax].sum())
    if outside > _DARK_SHARE * total or total == 0:
        share = outside / total if total else 1.0
        return f"the background is not dark, {share:.0%} of the intensity lies outside the boxes"
    return None


def box_size(training: ImageStore) -> FloatArray:
    """Return the median width and height of the training boxes, in pixels, `[2]`."""
    # Half a size decides ties between pixels, so remove the rounding errors of relative corners.
    return np.round(np.median(_box_sides(training), axis=0), 6)


def centered_boxes(images: npt.NDArray[np.uint8], size: npt.ArrayLike) -> FloatArray:
    """Return boxes of one size around the center of each image's intensity.

    The center is the mean of the pixel indices, weighted by intensity; the first edge lies
    half a size before it. The box of a black image is in the middle.

    Args:
        images: `[n, height, width, channels]`, uint8.
        size: Width and height of the boxes, in pixels.

    Returns:
        Relative corners, `[n, 4]`, inside the image.
    """
    _, height, width, _ = images.shape
    centers = centers_of_mass(images)
    extent = np.array([width, height], dtype=np.float64)
    sides = np.asarray(size, dtype=np.float64)
    low = np.clip(centers - sides / 2, 0.0, extent - sides)
    return np.hstack([low, low + sides]) / np.tile(extent, 2)


def snapped(boxes: FloatArray, shape: tuple[int, int, int]) -> FloatArray:
    """Round relative corners to whole pixels of images of a shape (height, width, channels)."""
    height, width, _ = shape
    return whole_pixels(pixel_corners(boxes, height, width)) / [width, height, width, height]


def _box_sides(store: ImageStore) -> FloatArray:
    height, width, _ = store.shape
    corners = store.read_input_corners()
    return (corners[:, 2:] - corners[:, :2]) * [width, height]


def _most_frequent(labels: npt.NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Return the most frequent label (the smallest of several) and its share."""
    counts = np.bincount(labels)
    return np.asarray(counts.argmax()), np.asarray(counts.max() / len(labels))
