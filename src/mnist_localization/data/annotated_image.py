"""Annotated images: what reports, W&B overlays and contact sheets show."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from mnist_localization.errors import RecordError

PREDICTIONS = "predictions"
GROUND_TRUTH = "ground_truth"

# Rounding of 32-bit corners may leave the unit square by this much.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Box:
    """One box of an annotated image.

    Attributes:
        corners: `xmin, ymin, xmax, ymax`, relative to the image, in [0, 1].
        class_id: Label, an index into the class names.
        scores: Finite values by name, such as `confidence` and `iou`.
    """

    corners: tuple[float, float, float, float]
    class_id: int
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class AnnotatedImage:
    """One image and its named layers of boxes.

    Attributes:
        file: Name of the image file, unique among the images of a report.
        image: Pixels, uint8 0..255, `[height, width, channels]`.
        box_layers: Boxes by the name of their layer (`predictions`, `ground_truth`, ...).
        file_size: Height and width of the image in its file, if `image` has another size. Values
            in pixels are shown in these pixels.
    """

    file: str
    image: npt.NDArray[np.uint8]
    box_layers: Mapping[str, Sequence[Box]]
    file_size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Return height and width of the image in its file, in pixels."""
        return self.file_size or (self.image.shape[0], self.image.shape[1])

    def padded(self, height: int, width: int) -> "AnnotatedImage":
        """Return the image padded at the bottom and on the right to a size in pixels."""
        rows, columns, _ = self.image.shape
        image = np.pad(self.image, ((0, height - rows), (0, width - columns), (0, 0)))
        scale = np.array([columns / width, rows / height] * 2)
        layers = {
            name: tuple(replace(box, corners=tuple(scale * box.corners)) for box in boxes)
            for name, boxes in self.box_layers.items()
        }
        return replace(self, image=image, box_layers=layers, file_size=self.size)


def validate(images: Sequence[AnnotatedImage], class_names: Sequence[str]) -> list[AnnotatedImage]:
    """Raise an error if an image cannot be shown; otherwise return the images.

    Args:
        images: Images to validate.
        class_names: Name of each class, in the order of the labels.

    Raises:
        RecordError: An image is not a uint8 array, or a box is not finite, not ordered, outside
            the image, of an unknown class, or has a score that is not finite. The message names
            the image.
    """
    for annotated in images:
        pixels = annotated.image
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
            raise RecordError(
                f"{annotated.file}: pixels must be uint8 [height, width, 1 or 3], not "
                f"{pixels.dtype} {list(pixels.shape)}"
            )
        for name, boxes in annotated.box_layers.items():
            for box in boxes:
                if fault := _fault(box, len(class_names)):
                    raise RecordError(f"{annotated.file}: a box of the layer {name!r} {fault}")
    return list(images)


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
