"""Scores of a table of predictions: the scalars, which model and baselines share."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.config import ImageSettings
from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    RAW_BOX_COLUMNS,
    image_sizes,
    paired_iou,
    pixel_corners,
    whole_pixels,
)
from mnist_localization.evaluation.average_precision import average_precisions
from mnist_localization.evaluation.intervals import (
    BOOTSTRAP,
    WILSON,
    bootstrap_intervals,
    wilson_interval,
)

# IoU from which on a box counts as found.
FOUND_IOU = 0.5


@dataclass(frozen=True)
class Outcomes:
    """What happened to each image.

    Attributes:
        shares: Name of a share to whether it holds for each image, `[n]`.
        iou: IoU of the box given to the user, `[n]`.
        raw_iou: IoU of the box before any snapping, `[n]`.
    """

    shares: dict[str, npt.NDArray[np.bool_]]
    iou: npt.NDArray[np.float64]
    raw_iou: npt.NDArray[np.float64]


def outcomes(predictions: pd.DataFrame, image: ImageSettings) -> Outcomes:
    """Judge each image.

    A box is exact where all four of its edges, rounded to whole pixels, are those of the true
    box, rounded in the same way.

    Args:
        predictions: One row an image, columns of the table `predictions`.
        image: Shape of the images, where the table does not hold their sizes.
    """
    true = predictions[list(BOX_COLUMNS)].to_numpy(np.float64)
    given = predictions[list(PREDICTED_BOX_COLUMNS)].to_numpy(np.float64)
    iou = paired_iou(true, given)
    right = predictions["label"].to_numpy() == predictions["predicted_label"].to_numpy()
    sizes = image_sizes(predictions, image.height, image.width)
    true_pixels, given_pixels = (
        whole_pixels(pixel_corners(boxes, *sizes)) for boxes in (true, given)
    )
    shares = {
        "label_accuracy": right,
        "iou_at_50": iou >= 0.5,
        "iou_at_75": iou >= 0.75,
        "iou_at_90": iou >= 0.9,
        "iou_at_95": iou >= 0.95,
        "loc_accuracy": right & (iou >= FOUND_IOU),
        "exact_box": (true_pixels == given_pixels).all(axis=1),
    }
    raw_iou = paired_iou(true, predictions[list(RAW_BOX_COLUMNS)].to_numpy(np.float64))
    return Outcomes(shares, iou, raw_iou)


def score(predictions: pd.DataFrame, image: ImageSettings, classes: int) -> dict[str, float | int]:
    """The scalar scores of a table of predictions.

    Args:
        predictions: One row an image, columns of the table `predictions`; at least one row.
        image: Shape of the images, where the table does not hold their sizes.
        classes: Number of classes.

    Returns:
        `label_accuracy`, `mean_iou`, `mean_iou_raw`, `median_iou`, `iou_at_50`, `iou_at_75`,
        `iou_at_90`, `iou_at_95`, `loc_accuracy`, `exact_box`, `ap`, `ap_50`, `ap_75` (all in
        [0, 1]) and `images`.
    """
    judged = outcomes(predictions, image)
    precisions = average_precisions(predictions, classes)
    present = precisions[~np.isnan(precisions).all(axis=1)]
    return {
        "mean_iou": float(judged.iou.mean()),
        "mean_iou_raw": float(judged.raw_iou.mean()),
        "median_iou": float(np.median(judged.iou)),
        **{name: float(held.mean()) for name, held in judged.shares.items()},
        "ap": float(present.mean()),
        "ap_50": float(present[:, 0].mean()),
        "ap_75": float(present[:, 5].mean()),
        "images": len(predictions),
    }


def score_intervals(
    predictions: pd.DataFrame, image: ImageSettings, resamples: int, seed: int
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """95 % intervals of the scores, and the method of each.

    Args:
        predictions: One row an image, columns of the table `predictions`; at least one row.
        image: Shape of the images, where the table does not hold their sizes.
        resamples: Resamples of the bootstrap.
        seed: Seed of the bootstrap.

    Returns:
        Name to `[low, high]`, and name to `wilson` (shares) or `bootstrap` (means, median).
        Average precision has none: it is no mean over images.
    """
    judged = outcomes(predictions, image)
    intervals = {
        name: wilson_interval(int(held.sum()), held.size) for name, held in judged.shares.items()
    }
    methods = dict.fromkeys(intervals, WILSON)
    values = {"mean_iou": judged.iou, "mean_iou_raw": judged.raw_iou, "median_iou": judged.iou}
    statistics = {"mean_iou": _mean, "mean_iou_raw": _mean, "median_iou": _median}
    intervals |= bootstrap_intervals(values, statistics, resamples, seed)
    return intervals, methods | dict.fromkeys(values, BOOTSTRAP)


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean())


def _median(values: npt.NDArray[np.float64]) -> float:
    return float(np.median(values))
