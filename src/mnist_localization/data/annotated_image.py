"""Box records: what every report shows, checked once before it leaves.

A record holds one image with any number of boxes in any number of named sets. The W&B
overlays and the HTML page are both drawn from one list of records, so they cannot disagree.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mnist_localization.errors import RecordError

PREDICTIONS = "predictions"
GROUND_TRUTH = "ground_truth"

# Rounding of 32-bit corners may leave the unit square by this much.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Box:
    """One box of a record.

    Attributes:
        corners: `xmin, ymin, xmax, ymax`, relative to the image, in [0, 1].
        class_id: Label, an index into the class names.
        scores: Name to value, such as `confidence` and `iou`; finite.
    """

    corners: tuple[float, float, float, float]
    class_id: int
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class AnnotatedImage:
    """One image and its named sets of boxes.

    Attributes:
        file: Name of the image file, unique in a list of records.
        image: Pixels, uint8 0..255, `[height, width, channels]`.
        box_layers: Name of the layer (`predictions`, `ground_truth`, ...) to its boxes.
        file_size: Height and width of the image in its file, where `image` shows it larger or
            smaller; what is said in pixels is in these.
    """

    file: str
    image: npt.NDArray[np.uint8]
    box_layers: Mapping[str, Sequence[Box]]
    file_size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image in its file, in pixels."""
        return self.file_size or (self.image.shape[0], self.image.shape[1])


def validate(records: Sequence[AnnotatedImage], class_names: Sequence[str]) -> list[AnnotatedImage]:
    """The same records, once every one of them is fit to be shown.

    Args:
        records: Records to check.
        class_names: Name of each class, in the order of the labels.

    Raises:
        RecordError: An image is no uint8 array, or a box is not finite, not ordered, outside
            the image, of an unknown class, or has a score that is not finite. Names the image.
    """
    for record in records:
        image = record.image
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
            raise RecordError(
                f"{record.file}: the image of a box record must be uint8 "
                f"[height, width, 1 or 3], not {image.dtype} {list(image.shape)}"
            )
        for name, boxes in record.box_layers.items():
            for box in boxes:
                if reason := _fault(box, len(class_names)):
                    raise RecordError(f"{record.file}: a box of the set {name!r} {reason}")
    return list(records)


def _fault(box: Box, classes: int) -> str | None:
    if not all(math.isfinite(corner) for corner in box.corners):
        return f"has a corner that is not finite: {box.corners}"
    xmin, ymin, xmax, ymax = box.corners
    if xmin > xmax or ymin > ymax:
        return f"is not ordered (xmin <= xmax, ymin <= ymax): {box.corners}"
    if min(xmin, ymin) < -_TOLERANCE or max(xmax, ymax) > 1 + _TOLERANCE:
        return f"leaves the image, relative corners must lie in [0, 1]: {box.corners}"
    if not 0 <= box.class_id < classes:
        return f"has the unknown class {box.class_id}; known are 0 to {classes - 1}"
    for name, value in box.scores.items():
        if not math.isfinite(value):
            return f"has the score {name} = {value}, which is not finite"
    return None
