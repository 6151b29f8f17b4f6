"""Baselines that a learned model has to beat, in plain arithmetic.

`mean_box` answers the same for every image. `center_of_mass` is the closed form for one object
of fixed size on a dark background: the box lies around the center of the intensity.
"""

import logging
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.data.boxes import SIZE_COLUMNS, input_corners, pixel_corners, whole_pixels
from mnist_localization.data.images import ImageStore
from mnist_localization.data.images.moments import centers_of_mass
from mnist_localization.evaluation.predictions import (
    PREDICTION_COLUMNS,
    AnnotatedImages,
    prediction_table,
)

logger = logging.getLogger(__name__)

MEAN_BOX = "mean_box"
CENTER_OF_MASS = "center_of_mass"
BASELINES = (MEAN_BOX, CENTER_OF_MASS)

FloatArray = npt.NDArray[np.float64]

# Boxes count as of one size when their sides differ by less than this, in pixels.
_SIZE_TOLERANCE = 0.01
# A background counts as dark when it holds less than this share of the intensity.
_DARK_SHARE = 0.01
# Training images that are looked at to decide this, spread over the split.
_LOOKED_AT = 256
_BATCH = 512


def predict_baselines(
    training: ImageStore, split: ImageStore, whole_pixel_boxes: bool
) -> pd.DataFrame:
    """Answers of all baselines that apply.

    Args:
        training: The training split, all that the baselines learn from.
        split: The split to predict.
        whole_pixel_boxes: Whether the annotated boxes lie on whole pixels.

    Returns:
        One row for each baseline and image: the column `baseline`, then those of the table
        `predictions`. A baseline that does not apply has no rows; the reason is logged.
    """
    tables = {MEAN_BOX: mean_box(training.annotations, split.annotations)}
    if reason := closed_form_obstacle(training):
        logger.info("The baseline %s does not apply: %s", CENTER_OF_MASS, reason)
    else:
        snaps = whole_pixel_boxes and not (training.resized or split.resized)
        tables[CENTER_OF_MASS] = center_of_mass(training, split, snaps)
    answers = pd.concat(tables, names=["baseline"]).reset_index(level="baseline")
    sizes = [name for name in SIZE_COLUMNS if name in answers]
    return answers[["baseline", *PREDICTION_COLUMNS, *sizes]].reset_index(drop=True)


def mean_box(training: pd.DataFrame, annotations: pd.DataFrame) -> pd.DataFrame:
    """The mean box and the most frequent class of the training rows, for every image.

    Args:
        training: Annotations to learn from.
        annotations: Annotations to predict, `n` rows.

    Returns:
        `n` rows, columns of the table `predictions`; the confidence is that class's share.
    """
    box = input_corners(training).mean(axis=0)
    boxes = np.tile(box, (len(annotations), 1))
    return prediction_table(annotations, *_most_frequent(training), boxes, boxes)


def center_of_mass(
    training: ImageStore, split: AnnotatedImages, whole_pixel_boxes: bool
) -> pd.DataFrame:
    """A box of the training boxes' size around the center of each image's intensity.

    Applies where `closed_form_obstacle` finds nothing.

    Args:
        training: The training split: gives the size and the most frequent class.
        split: The split to predict, `n` images; read in batches.
        whole_pixel_boxes: Whether to move the boxes to the nearest whole pixel.

    Returns:
        `n` rows, columns of the table `predictions`; `raw_*` before that move.
    """
    size = box_size(training)
    raw = np.concatenate([centered_boxes(images, size) for images in _batches(split)])
    boxes = snapped(raw, split.shape) if whole_pixel_boxes else raw
    return prediction_table(split.annotations, *_most_frequent(training.annotations), boxes, raw)


def closed_form_obstacle(training: ImageStore) -> str | None:
    """Why the closed form does not hold for this data; nothing where it does."""
    spread = np.ptp(_box_sides(training), axis=0).max()
    if spread > _SIZE_TOLERANCE:
        return f"the training boxes differ in size, by up to {spread:.1f} pixels"
    rows = np.unique(np.linspace(0, len(training) - 1, _LOOKED_AT).astype(int))
    corners = whole_pixels(_pixel_boxes(training)[rows]).astype(int)
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
    """Median width and height of the training boxes, in pixels, `[2]`."""
    # Relative corners carry rounding errors, and half a size decides ties between pixels.
    return np.round(np.median(_box_sides(training), axis=0), 6)


def centered_boxes(images: npt.NDArray[np.uint8], size: npt.ArrayLike) -> FloatArray:
    """Boxes of one size around the center of each image's intensity.

    The center is the mean of the pixel indices, weighted by intensity; the first edge lies
    half a size before it. An image without any intensity has its box in the middle.

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
    """Relative corners moved to the nearest whole pixel of images of a shape."""
    height, width, _ = shape
    return whole_pixels(pixel_corners(boxes, height, width)) / [width, height, width, height]


def _pixel_boxes(store: ImageStore) -> FloatArray:
    height, width, _ = store.shape
    return pixel_corners(input_corners(store.annotations), height, width)


def _box_sides(store: ImageStore) -> FloatArray:
    corners = _pixel_boxes(store)
    return corners[:, 2:] - corners[:, :2]


def _most_frequent(training: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """The label that most rows have (the smallest of several), and its share."""
    shares = training["label"].value_counts(normalize=True).sort_index()
    return np.asarray(shares.idxmax()), np.asarray(shares.max())


def _batches(store: AnnotatedImages) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, len(store), _BATCH):
        yield store.read(np.arange(start, min(start + _BATCH, len(store))))
