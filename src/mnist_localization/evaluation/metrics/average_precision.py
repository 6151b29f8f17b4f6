"""COCO average precision for one annotated and one predicted box per image.

Definition: T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context" (2014), and the
evaluation of the COCO detection challenge: precision interpolated at 101 recall values, averaged
over the classes that occur and over the IoU thresholds 0.50, 0.55, ..., 0.95.
"""

from collections.abc import Sequence

import numpy as np

from mnist_localization.evaluation.metrics import BoolArray, FloatArray, Metric, Outcomes

IOU_THRESHOLDS = tuple(float(value) for value in np.linspace(0.5, 0.95, 10))
_RECALLS = np.linspace(0.0, 1.0, 101)


def average_precisions(
    outcomes: Outcomes, thresholds: Sequence[float] = IOU_THRESHOLDS
) -> FloatArray:
    """Compute the average precision of each class at each IoU threshold.

    A prediction is correct if its class is that of the image and its IoU reaches the threshold.

    Args:
        outcomes: The predictions.
        thresholds: IoU thresholds.

    Returns:
        `[classes, thresholds]`, in [0, 1]; NaN for a class without images.
    """
    true = outcomes.table["label"].to_numpy()
    predicted = outcomes.table["predicted_label"].to_numpy()
    confidence = outcomes.table["confidence"].to_numpy()
    result = np.full((outcomes.classes, len(thresholds)), np.nan)
    for label in np.unique(true):
        rows = np.flatnonzero(predicted == label)
        # A stable sort keeps the order of the images for equal confidences.
        rows = rows[np.argsort(-confidence[rows], kind="stable")]
        for column, threshold in enumerate(thresholds):
            hits = (true[rows] == label) & (outcomes.iou[rows] >= threshold)
            result[label, column] = _interpolated(hits, int((true == label).sum()))
    return result


def _interpolated(hits: BoolArray, positives: int) -> float:
    """Return the mean precision at 101 recalls; `hits` is ordered by falling confidence."""
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(found / positives, _RECALLS, side="left")
    return float(np.append(envelope, 0.0)[reached].mean())


def _per_class(outcomes: Outcomes, thresholds: Sequence[float] = IOU_THRESHOLDS) -> FloatArray:
    """Return the average precision of each class that has images."""
    values: FloatArray = average_precisions(outcomes, thresholds).mean(axis=1)
    return values[~np.isnan(values)]


def _ap_at(percent: int) -> Metric:
    threshold = percent / 100
    return Metric(
        key=f"ap_{percent}",
        title=f"AP at {threshold:g}",
        description=f"COCO average precision at an IoU threshold of {threshold:g}.",
        values=lambda outcomes: _per_class(outcomes, (threshold,)),
        unit="ratio",
        interval=None,
        rank=80,
    )


METRICS = (
    Metric(
        key="ap",
        title="AP",
        description=(
            "COCO average precision: label, box and ranking by confidence in one number, "
            "averaged over classes and over IoU thresholds from 0.5 to 0.95."
        ),
        values=_per_class,
        unit="ratio",
        interval=None,
        rank=80,
    ),
    _ap_at(50),
    _ap_at(75),
)
