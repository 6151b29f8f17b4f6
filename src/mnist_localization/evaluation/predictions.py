"""The table `predictions`: one row per image with its annotation and its prediction."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from mnist_localization.data.boxes import (
    ANNOTATION_COLUMNS,
    BOX_COLUMNS,
    PLACEMENT_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    RAW_BOX_COLUMNS,
    SIZE_COLUMNS,
    clip_boxes,
    paired_iou,
)
from mnist_localization.data.images.letterbox import to_original_frame
from mnist_localization.errors import ModelError

PREDICTION_COLUMNS = (
    *ANNOTATION_COLUMNS,
    "predicted_label",
    "confidence",
    *PREDICTED_BOX_COLUMNS,
    *RAW_BOX_COLUMNS,
    "iou",
)
# Outputs that a model may have, `[n]` or `[n, 1]` each; columns of the same name.
OPTIONAL_OUTPUTS = ("bbox_confidence", "presence")

# Tolerated rounding error of a probability in 32 bits.
_TOLERANCE = 1e-4

Images = npt.NDArray[np.uint8]
Items = TypeVar("Items", npt.NDArray[np.int64], list[Path])
FloatArray = npt.NDArray[np.float64]
# Images [n, height, width, channels] to the arrays `label` [n, classes], `bbox` and `bbox_raw`
# [n, 4] and, if the model has them, those of `OPTIONAL_OUTPUTS`.
Predictor = Callable[[Images], Mapping[str, npt.ArrayLike]]


class AnnotatedImages(Protocol):
    """Images that are read by row, and their annotations in the same order."""

    shape: tuple[int, int, int]

    @property
    def annotations(self) -> pd.DataFrame:
        """Return one row per image."""

    def __len__(self) -> int:
        """Return the number of images."""

    def read(self, indices: npt.NDArray[np.integer[Any]], /) -> Images:
        """Return the images of the given rows, `[n, height, width, channels]`."""


def predict_store(
    predictor: Predictor, store: AnnotatedImages, batch_size: int, name: str = "predict"
) -> pd.DataFrame:
    """Predict every image of a split in batches.

    Only one batch of images and probabilities is in memory at a time. All batches have the same
    shape, so that the model is traced once: the last one is filled up with repeated images.

    Args:
        predictor: Returns `label` (probabilities), `bbox` and `bbox_raw` (relative corners), and
            any of `OPTIONAL_OUTPUTS`.
        store: The split.
        batch_size: Images predicted at once.
        name: Label of the progress bar.

    Returns:
        One row per image, see `prediction_table`.

    Raises:
        ModelError: A prediction is not finite, or is not a probability.
    """
    files = store.annotations["file"]
    size = min(batch_size, len(store))
    batches = []
    for rows in in_batches(np.arange(len(store)), size, name):
        outputs = {
            name: np.asarray(values, dtype=np.float64)[: len(rows)]
            for name, values in predictor(store.read(np.resize(rows, size))).items()
        }
        _check(outputs, files.iloc[rows].tolist())
        optional = {name: outputs[name].ravel() for name in OPTIONAL_OUTPUTS if name in outputs}
        batches.append(
            {
                "labels": outputs["label"].argmax(axis=1),
                "confidence": outputs["label"].max(axis=1),
                "boxes": outputs["bbox"],
                "raw_boxes": outputs["bbox_raw"],
                **optional,
            }
        )
    joined = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return prediction_table(store.annotations, **joined)


def in_batches(items: Items, batch_size: int, name: str) -> Iterator[Items]:
    """Yield items in batches and show a progress bar.

    Args:
        items: Row numbers or files.
        batch_size: Items per batch; the last batch may have fewer.
        name: Label of the progress bar.
    """
    with tqdm(total=len(items), desc=name, unit="image", disable=None) as bar:
        for start in range(0, len(items), batch_size):
            batch = items[start : start + batch_size]
            yield batch
            bar.update(len(batch))


def finite_outputs(
    predictor: Predictor, images: Images, name: str
) -> tuple[FloatArray, FloatArray]:
    """Return the outputs `label` `[n, classes]` and `bbox` `[n, 4]` of a model.

    Args:
        predictor: The model.
        images: Pixels, uint8 `[n, height, width, channels]`.
        name: Name of the model in errors.

    Raises:
        ModelError: An output is not finite.
    """
    outputs = predictor(images)
    # Copies, because a predictor may reuse the memory of its outputs.
    label, bbox = (np.array(outputs[head], dtype=np.float64) for head in ("label", "bbox"))
    if not (np.isfinite(label).all() and np.isfinite(bbox).all()):
        raise ModelError(f"{name}: the model returns values that are not finite; train it again")
    return label, bbox


def prediction_table(
    annotations: pd.DataFrame,
    labels: npt.ArrayLike,
    confidence: npt.ArrayLike,
    boxes: npt.ArrayLike,
    raw_boxes: npt.ArrayLike,
    **optional: npt.ArrayLike,
) -> pd.DataFrame:
    """Combine annotations and predictions into one table.

    All boxes of the result are relative to the original images: annotated boxes are kept, and if
    images were fitted into the model input, predicted boxes are transformed back.

    Args:
        annotations: `n` rows, columns `file, label, xmin, ymin, xmax, ymax`; if images were
            fitted in, also `SIZE_COLUMNS` and `PLACEMENT_COLUMNS`.
        labels: Predicted labels, `[n]`.
        confidence: Probability of the predicted label, `[n]`, in [0, 1].
        boxes: Corners given to the user, relative to the model input, `[n, 4]`; clipped.
        raw_boxes: The same before any snapping, `[n, 4]`; clipped.
        **optional: Values of `OPTIONAL_OUTPUTS`, `[n]`, in [0, 1].

    Returns:
        `n` rows, columns `PREDICTION_COLUMNS`, then the optional ones, then `SIZE_COLUMNS` if
        images were fitted in.
    """
    table = annotations[list(ANNOTATION_COLUMNS)].reset_index(drop=True)
    predicted, raw = np.asarray(boxes, np.float64), np.asarray(raw_boxes, np.float64)
    fitted_in = PLACEMENT_COLUMNS[0] in annotations
    if fitted_in:
        placed = annotations[list(PLACEMENT_COLUMNS)].to_numpy()
        predicted, raw = to_original_frame(predicted, placed), to_original_frame(raw, placed)
    table["predicted_label"] = np.asarray(labels, dtype=np.int64)
    table["confidence"] = np.clip(np.asarray(confidence, dtype=np.float64), 0.0, 1.0)
    table[list(PREDICTED_BOX_COLUMNS)] = clip_boxes(predicted)
    table[list(RAW_BOX_COLUMNS)] = clip_boxes(raw)
    table["iou"] = paired_iou(
        table[list(BOX_COLUMNS)].to_numpy(), table[list(PREDICTED_BOX_COLUMNS)].to_numpy()
    )
    for name, values in optional.items():
        table[name] = np.clip(np.asarray(values, dtype=np.float64), 0.0, 1.0)
    if fitted_in:
        table[list(SIZE_COLUMNS)] = annotations[list(SIZE_COLUMNS)].to_numpy()
    return table


def _check(outputs: Mapping[str, FloatArray], files: list[str]) -> None:
    for name, values in outputs.items():
        wrong = ~np.isfinite(values.reshape(len(files), -1)).all(axis=1)
        if wrong.any():
            raise ModelError(
                f"{files[int(wrong.argmax())]}: the model's output {name!r} is not finite "
                f"({int(wrong.sum())} of {len(files)} images of this batch); the training has "
                "diverged, so lower train.learning_rate and train again"
            )
    label = outputs["label"]
    wrong = (label.min(axis=1) < -_TOLERANCE) | (label.max(axis=1) > 1 + _TOLERANCE)
    if wrong.any():
        raise ModelError(
            f"{files[int(wrong.argmax())]}: the model's output 'label' contains values outside "
            "0..1; the head must return probabilities, for example those of a softmax"
        )
