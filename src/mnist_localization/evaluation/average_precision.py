"""COCO's average precision, for one prediction and one true box an image.

Definition: T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", and the evaluation
of the COCO detection challenge: precision interpolated at 101 recall values, averaged over the
classes that occur and over the IoU thresholds .50, .55, ..., .95.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.data.boxes import BOX_COLUMNS, PREDICTED_BOX_COLUMNS, paired_iou

IOU_THRESHOLDS = tuple(float(value) for value in np.linspace(0.5, 0.95, 10))
_RECALLS = np.linspace(0.0, 1.0, 101)


def average_precisions(predictions: pd.DataFrame, classes: int) -> npt.NDArray[np.float64]:
    """Average precision of each class at each IoU threshold.

    A prediction is right where its class is the image's and its IoU reaches the threshold.

    Args:
        predictions: One row an image, columns of the table `predictions`.
        classes: Number of classes.

    Returns:
        `[classes, thresholds]`, in [0, 1]; NaN for a class that no image has.
    """
    true = predictions["label"].to_numpy()
    claimed = predictions["predicted_label"].to_numpy()
    iou = paired_iou(
        predictions[list(BOX_COLUMNS)].to_numpy(), predictions[list(PREDICTED_BOX_COLUMNS)]
    )
    confidence = predictions["confidence"].to_numpy()
    result = np.full((classes, len(IOU_THRESHOLDS)), np.nan)
    for label in np.unique(true):
        rows = np.flatnonzero(claimed == label)
        # Stable, so that ties keep the order of the images and the result is repeatable.
        rows = rows[np.argsort(-confidence[rows], kind="stable")]
        for column, threshold in enumerate(IOU_THRESHOLDS):
            hits = (true[rows] == label) & (iou[rows] >= threshold)
            result[label, column] = _interpolated(hits, int((true == label).sum()))
    return result


def _interpolated(hits: npt.NDArray[np.bool_], positives: int) -> float:
    """Mean precision at 101 recalls; `hits` is ordered from the most confident down."""
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(found / positives, _RECALLS, side="left")
    return float(np.append(envelope, 0.0)[reached].mean())
