"""The table `predictions`: one row an image, what was annotated beside what was predicted."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    PLACEMENT_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    RAW_BOX_COLUMNS,
    SIZE_COLUMNS,
    clip_boxes,
    paired_iou,
)
from mnist_localization.data.images import into_original
from mnist_localization.errors import ModelError

PREDICTION_COLUMNS = (
    "file",
    "label",
    *BOX_COLUMNS,
    "predicted_label",
    "confidence",
    *PREDICTED_BOX_COLUMNS,
    *RAW_BOX_COLUMNS,
    "iou",
)

Images = npt.NDArray[np.uint8]
# Images [n, height, width, channels] to the arrays `label` [n, classes], `bbox` and
# `bbox_raw` [n, 4].
Predictor = Callable[[Images], Mapping[str, npt.ArrayLike]]


class AnnotatedImages(Protocol):
    """Images that are read by row, and their annotations in the same order."""

    annotations: pd.DataFrame
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        """Number of images."""

    def read(self, indices: npt.NDArray[np.integer[Any]], /) -> Images:
        """Images of the given rows, `[n, height, width, channels]`."""


# What rounding in 32 bits may add to a probability.
_TOLERANCE = 1e-4


def predict_store(
    predictor: Predictor, store: AnnotatedImages, batch_size: int, name: str = "predict"
) -> pd.DataFrame:
    """Predict every image of a split, batch by batch.

    Beside the table there is one batch in memory, whatever the number of classes. Every batch
    has the same shape, the last one filled up with copies that are cut off again, so that the
    model is traced once.

    Args:
        predictor: Gives `label` (probabilities), `bbox` and `bbox_raw` (relative corners).
        store: The split.
        batch_size: Images predicted at once.
        name: Stands before the progress bar.

    Returns:
        One row an image, columns as from `prediction_table`.

    Raises:
        ModelError: A prediction is not finite or no probability. Names the file.
    """
    files = store.annotations["file"].tolist()
    size = min(batch_size, len(store))
    answers = []
    with tqdm(total=len(store), desc=name, unit="image", disable=None) as bar:
        for start in range(0, len(store), size):
            rows = np.arange(start, min(start + size, len(store)))
            filled = np.resize(rows, size)
            outputs = {
                name: np.asarray(values, dtype=np.float64)[: len(rows)]
                for name, values in predictor(store.read(filled)).items()
            }
            _check(outputs, files[rows[0] : rows[-1] + 1])
            label = outputs["label"]
            answers.append(
                (label.argmax(axis=1), label.max(axis=1), outputs["bbox"], outputs["bbox_raw"])
            )
            bar.update(len(rows))
    labels, confidence, bbox, raw = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    return prediction_table(store.annotations, labels, confidence, bbox, raw)


def prediction_table(
    annotations: pd.DataFrame,
    labels: npt.ArrayLike,
    confidence: npt.ArrayLike,
    boxes: npt.ArrayLike,
    raw_boxes: npt.ArrayLike,
) -> pd.DataFrame:
    """Annotations with what was predicted for them.

    All boxes of the result are relative to the original images: annotated boxes are kept, and if
    images were fitted into the model input, predicted boxes are transformed back.

    Args:
        annotations: `n` rows, columns `file, label, xmin, ymin, xmax, ymax`; where images were
            fitted in, also `SIZE_COLUMNS` and `PLACEMENT_COLUMNS`.
        labels: Predicted labels, `[n]`.
        confidence: Probability of the predicted label, `[n]`, in [0, 1].
        boxes: Corners given to the user, relative to the model input, `[n, 4]`; clipped.
        raw_boxes: The same before any snapping, `[n, 4]`; clipped.

    Returns:
        `n` rows, columns `PREDICTION_COLUMNS`, and `SIZE_COLUMNS` where images were fitted in.
    """
    fitted_in = PLACEMENT_COLUMNS[0] in annotations
    kept = ["file", "label", *BOX_COLUMNS]
    table = annotations[kept].reset_index(drop=True)
    given, raw = np.asarray(boxes, np.float64), np.asarray(raw_boxes, np.float64)
    if fitted_in:
        placed = annotations[list(PLACEMENT_COLUMNS)].to_numpy()
        given, raw = into_original(given, placed), into_original(raw, placed)
    table["predicted_label"] = np.asarray(labels, dtype=np.int64)
    table["confidence"] = np.clip(np.asarray(confidence, dtype=np.float64), 0.0, 1.0)
    table[list(PREDICTED_BOX_COLUMNS)] = clip_boxes(given)
    table[list(RAW_BOX_COLUMNS)] = clip_boxes(raw)
    table["iou"] = paired_iou(
        table[list(BOX_COLUMNS)].to_numpy(), table[list(PREDICTED_BOX_COLUMNS)].to_numpy()
    )
    if fitted_in:
        table[list(SIZE_COLUMNS)] = annotations[list(SIZE_COLUMNS)].to_numpy()
    return table


def _check(outputs: Mapping[str, npt.NDArray[np.float64]], files: list[str]) -> None:
    for name, values in outputs.items():
        wrong = ~np.isfinite(values).all(axis=1)
        if wrong.any():
            raise ModelError(
                f"{files[int(wrong.argmax())]}: the model's output {name!r} is not finite "
                f"({int(wrong.sum())} of {len(files)} images of this batch); the training has "
                "diverged: lower train.learning_rate and train again"
            )
    label = outputs["label"]
    wrong = (label.min(axis=1) < -_TOLERANCE) | (label.max(axis=1) > 1 + _TOLERANCE)
    if wrong.any():
        raise ModelError(
            f"{files[int(wrong.argmax())]}: the model's output 'label' holds values outside "
            "0..1; the head must give probabilities, such as a softmax does"
        )
