"""What the training boxes have in common, which a model may take as exact."""

from dataclasses import dataclass

import numpy as np

from mnist_localization.data.boxes import centers_of_mass, typical_size
from mnist_localization.data.images import ImageStore

# Training images that are looked at, spread over the split.
_LOOKED_AT = 8192
_BATCH = 512
# The center of mass tells the center where all but a twentieth are this near, in pixels.
_NEAR = 0.75


@dataclass(frozen=True)
class BoxStatistics:
    """Regularities of the training boxes; each is none where the data does not bear it out.

    Attributes:
        typical_size: Width and height that most boxes have, relative.
        mass_offset: Distance from the image's center of mass (of brightness, with pixels at
            their middle) to the box's center, relative, where it is the same for all images to
            within what rounding to whole pixels explains.
    """

    typical_size: tuple[float, float] | None = None
    mass_offset: tuple[float, float] | None = None


def compute_box_statistics(training: ImageStore) -> BoxStatistics:
    """The regularities of a training split.

    Args:
        training: The split; at most some thousands of its images are read.
    """
    return BoxStatistics(typical_size(training.input_boxes), _mass_offset(training))


def _mass_offset(training: ImageStore) -> tuple[float, float] | None:
    height, width, _ = training.shape
    rows = np.unique(np.linspace(0, len(training) - 1, _LOOKED_AT).astype(int))
    batches = np.array_split(rows, -(-len(rows) // _BATCH))
    indices = np.concatenate([centers_of_mass(training.read(batch)) for batch in batches])
    centers = (indices + 0.5) / [width, height]  # a pixel's middle lies half a pixel further
    boxes = training.input_boxes[rows].astype(np.float64)
    distances = (boxes[:, :2] + boxes[:, 2:]) / 2 - centers
    # Rounding spreads the distances evenly: the middle of their range says more than their mean.
    offset = np.quantile(distances, [0.01, 0.99], axis=0).mean(axis=0)
    near = (np.abs(distances - offset) * [width, height] <= _NEAR).all(axis=1)
    return (float(offset[0]), float(offset[1])) if near.mean() >= 0.95 else None
