"""Regularities of the training boxes that a model may use as exact values."""

from dataclasses import dataclass

import numpy as np

from mnist_localization.data.boxes import centers_of_mass, typical_size
from mnist_localization.data.images.store import ImageStore

# Number of training images that are examined, evenly spaced over the split.
_EXAMINED = 8192
_BATCH = 512
# The center of mass determines the center of a box if 95 % of the boxes are this close, in pixels.
_CLOSE = 0.75


@dataclass(frozen=True)
class BoxStatistics:
    """Regularities of the training boxes; each is `None` if the dataset does not have it.

    Attributes:
        typical_size: Width and height of most boxes, relative to the image.
        mass_offset: Distance from the center of mass of an image (weighted by brightness, with
            pixels at their middle) to the center of its box, relative to the image, if it is the
            same for all images up to rounding to whole pixels.
    """

    typical_size: tuple[float, float] | None = None
    mass_offset: tuple[float, float] | None = None


def compute_box_statistics(training: ImageStore) -> BoxStatistics:
    """Return the regularities of a training split, from up to some thousand of its images."""
    return BoxStatistics(typical_size(training.input_boxes), _mass_offset(training))


def _mass_offset(training: ImageStore) -> tuple[float, float] | None:
    height, width, _ = training.shape
    rows = np.unique(np.linspace(0, len(training) - 1, _EXAMINED).astype(int))
    batches = np.array_split(rows, -(-len(rows) // _BATCH))
    indices = np.concatenate([centers_of_mass(training.read(batch)) for batch in batches])
    centers = (indices + 0.5) / [width, height]
    boxes = training.input_boxes[rows].astype(np.float64)
    distances = (boxes[:, :2] + boxes[:, 2:]) / 2 - centers
    # The middle of the range, because rounding to whole pixels distributes distances uniformly.
    offset = np.quantile(distances, [0.01, 0.99], axis=0).mean(axis=0)
    close = (np.abs(distances - offset) * [width, height] <= _CLOSE).all(axis=1)
    return (float(offset[0]), float(offset[1])) if close.mean() >= 0.95 else None
