"""How good a model's answers are, and how far they are from those of another model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from mnist_localization.data.boxes import clip_boxes, paired_iou
from mnist_localization.errors import ModelError

Images = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
# Images [n, height, width, channels] to `label` [n, classes] and `bbox` [n, 4].
Predictor = Callable[[Images], Mapping[str, npt.ArrayLike]]


class LabeledImages(Protocol):
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
class Comparison:
    """What came of a model's answers, held against another's.

    Attributes:
        probability: Largest difference of any probability from the other model's.
        box_pixels: Largest difference of any edge of a box, in pixels.
        label_accuracy: Share of right labels, in [0, 1].
        mean_iou: Mean IoU with the true boxes, in [0, 1].
    """

    probability: float
    box_pixels: float
    label_accuracy: float
    mean_iou: float


@dataclass(frozen=True)
class _Answers:
    """What a model answers for a batch: `label` `[n, classes]` and `bbox` `[n, 4]`."""

    label: FloatArray
    bbox: FloatArray


def compare_outputs(
    predictor: Predictor,
    reference: Predictor,
    images: LabeledImages,
    rows: npt.NDArray[np.int64],
    batch_size: int,
    name: str,
) -> Comparison:
    """Ask a model and another one about the same images, batch by batch.

    No answer outlives its batch: memory does not grow with images or classes. For that, the
    other model is asked anew for each model that is held against it.

    Args:
        predictor: The model that is judged.
        reference: The model that it shall agree with; the same object is asked once.
        images: Where the images are read.
        rows: Which of them, `[n]`; at least one.
        batch_size: Images predicted at once.
        name: Stands before the progress bar, and in errors.

    Raises:
        ModelError: An answer is not finite.
    """
    height, width, _ = images.shape
    probability = box_pixels = overlap = 0.0
    right = 0
    with tqdm(total=len(rows), desc=name, unit="image", disable=None) as bar:
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            pixels = images.read(batch)
            given = _ask(predictor, pixels, name)
            expected = given if reference is predictor else _ask(reference, pixels, name)
            edges = np.abs(given.bbox - expected.bbox) * [width, height, width, height]
            probability = max(probability, float(np.abs(given.label - expected.label).max()))
            box_pixels = max(box_pixels, float(edges.max()))
            right += int((given.label.argmax(axis=1) == images.labels[batch]).sum())
            overlap += float(paired_iou(images.input_boxes[batch], clip_boxes(given.bbox)).sum())
            bar.update(len(batch))
    return Comparison(probability, box_pixels, right / len(rows), overlap / len(rows))


def _ask(predictor: Predictor, images: Images, name: str) -> _Answers:
    outputs = predictor(images)
    # Copies: a predictor may use the memory of its answers again.
    given = _Answers(*(np.array(outputs[head], dtype=np.float64) for head in ("label", "bbox")))
    if not (np.isfinite(given.label).all() and np.isfinite(given.bbox).all()):
        raise ModelError(f"{name}: the model gives values that are not finite")
    return given
