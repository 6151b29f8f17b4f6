"""What a model answers for images, and how far two models' answers are apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from mnist_localization.boxes import confined, paired_iou
from mnist_localization.errors import ModelError

Images = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
# Images [n, height, width, channels] to `label` [n, classes] and `bbox` [n, 4].
Predictor = Callable[[Images], Mapping[str, npt.ArrayLike]]


class LabelledImages(Protocol):
    """Images that are read by row, with their labels and boxes in the same order."""

    shape: tuple[int, int, int]

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Label of each image, `[n]`."""

    @property
    def boxes(self) -> npt.NDArray[np.float32]:
        """Relative corners of each image's box, `[n, 4]`."""

    def __len__(self) -> int:
        """Number of images."""

    def read(self, indices: npt.NDArray[np.integer[Any]], /) -> Images:
        """Images of the given rows, `[n, height, width, channels]`."""


@dataclass(frozen=True)
class Answers:
    """What a model answers for a row of images.

    Attributes:
        label: Probabilities, `[n, classes]`.
        bbox: Relative corners, `[n, 4]`.
    """

    label: FloatArray
    bbox: FloatArray


@dataclass(frozen=True)
class Distance:
    """How far answers are from those of another model.

    Attributes:
        probability: Largest difference of any probability.
        box_pixels: Largest difference of any edge of a box, in pixels.
    """

    probability: float
    box_pixels: float


def answers(
    predictor: Predictor,
    images: LabelledImages,
    rows: npt.NDArray[np.int64],
    batch_size: int,
    name: str,
) -> Answers:
    """Ask a model, batch by batch.

    Args:
        predictor: The model.
        images: Where the images are read.
        rows: Which of them, `[n]`.
        batch_size: Images predicted at once.
        name: Stands before the progress bar, and in errors.

    Raises:
        ModelError: An answer is not finite.
    """
    label, bbox = [], []
    with tqdm(total=len(rows), desc=name, unit="image", disable=None) as bar:
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            outputs = predictor(images.read(batch))
            label.append(np.array(outputs["label"], dtype=np.float64))
            bbox.append(np.array(outputs["bbox"], dtype=np.float64))
            bar.update(len(batch))
    given = Answers(np.concatenate(label), np.concatenate(bbox))
    if not (np.isfinite(given.label).all() and np.isfinite(given.bbox).all()):
        raise ModelError(f"{name}: the exported model gives values that are not finite")
    return given


def distance(given: Answers, expected: Answers, height: int, width: int) -> Distance:
    """How far answers are from those expected.

    Args:
        given: Of one model.
        expected: Of the other, for the same images.
        height: Rows of the images, pixels.
        width: Columns of the images, pixels.
    """
    edges = np.abs(given.bbox - expected.bbox) * np.array([width, height, width, height])
    return Distance(float(np.abs(given.label - expected.label).max()), float(edges.max()))


def scores(
    given: Answers, images: LabelledImages, rows: npt.NDArray[np.int64]
) -> tuple[float, float]:
    """Label accuracy and mean IoU of answers, both in [0, 1]."""
    right = given.label.argmax(axis=1) == images.labels[rows]
    iou = paired_iou(images.boxes[rows], confined(given.bbox))
    return float(right.mean()), float(iou.mean())
