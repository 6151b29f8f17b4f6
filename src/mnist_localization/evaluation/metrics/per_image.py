"""Metrics with one value per image: label, IoU, exact box."""

import numpy as np

from mnist_localization.data.boxes import whole_pixels
from mnist_localization.evaluation.metrics import BoolArray, Metric, Outcomes

# A box counts as found from this IoU on.
FOUND_IOU = 0.5


def exact_boxes(outcomes: Outcomes) -> BoolArray:
    """Return whether all four edges equal the annotated ones after rounding to pixels, `[n]`."""
    true = whole_pixels(outcomes.in_pixels(outcomes.true_boxes))
    predicted = whole_pixels(outcomes.in_pixels(outcomes.predicted_boxes))
    exact: BoolArray = (true == predicted).all(axis=1)
    return exact


def _iou_at(percent: int, meaning: str) -> Metric:
    threshold = percent / 100
    return Metric(
        key=f"iou_at_{percent}",
        title=f"IoU ≥ {threshold:g}",
        description=f"Share of boxes that {meaning} (IoU of at least {threshold:g}).",
        values=lambda outcomes: outcomes.iou >= threshold,
        unit="share",
        interval="wilson",
        rank=70,
    )


METRICS = (
    Metric(
        key="label_accuracy",
        title="Label accuracy",
        description="Share of images whose predicted class is correct.",
        values=lambda outcomes: outcomes.label_correct,
        unit="share",
        interval="wilson",
        headline=True,
        rank=10,
    ),
    Metric(
        key="mean_iou",
        title="Mean IoU",
        description=(
            "Mean intersection over union of predicted and annotated box: 1 is a perfect fit, "
            "0 is no overlap."
        ),
        values=lambda outcomes: outcomes.iou,
        unit="ratio",
        interval="bootstrap",
        headline=True,
        rank=20,
    ),
    Metric(
        key="loc_accuracy",
        title="Localization accuracy",
        description=(
            "Share of images whose predicted class is correct and whose box has an IoU of at "
            f"least {FOUND_IOU:g}."
        ),
        values=lambda outcomes: outcomes.label_correct & (outcomes.iou >= FOUND_IOU),
        unit="share",
        interval="wilson",
        headline=True,
        rank=30,
    ),
    Metric(
        key="exact_box",
        title="Exact boxes",
        description="Share of images whose box is correct to the pixel on all four sides.",
        values=exact_boxes,
        unit="share",
        interval="wilson",
        headline=True,
        rank=40,
    ),
    Metric(
        key="mean_iou_raw",
        title="Mean IoU, raw",
        description="Mean IoU of the box before any snapping to pixels.",
        values=lambda outcomes: outcomes.raw_iou,
        unit="ratio",
        interval="bootstrap",
        rank=50,
    ),
    Metric(
        key="median_iou",
        title="Median IoU",
        description="Half of the images have a higher IoU than this.",
        values=lambda outcomes: outcomes.iou,
        statistic=np.median,
        unit="ratio",
        interval="bootstrap",
        rank=60,
    ),
    _iou_at(50, "count as found"),
    _iou_at(75, "fit well"),
    _iou_at(90, "fit closely"),
    _iou_at(95, "fit almost exactly"),
)
