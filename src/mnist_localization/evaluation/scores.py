"""Scores of a table of predictions: the scalars, which model and baselines share."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

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
from mnist_localization.evaluation.breakdowns import (
    FOUND_IOU,
    Calibration,
    ClassScores,
    PixelErrors,
    RegionScores,
)
from mnist_localization.evaluation.intervals import (
    BOOTSTRAP,
    WILSON,
    bootstrap_intervals,
    wilson_interval,
)


class ScoredSplit(BaseModel):
    """The images that were scored.

    Attributes:
        source: Source of the dataset.
        split: Name of the split.
        images: Number of images.
        fingerprint: SHA-256 of the split.
        validated_on: Split whose images chose the best epoch (`train` or `test`), if known.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    split: str
    images: int
    fingerprint: str
    validated_on: str | None = None


class Metrics(BaseModel):
    """The dataset `metrics`: scores, intervals, breakdowns and baselines of one evaluation.

    In its JSON document the scores are at the top level, next to the other fields.

    Attributes:
        scores: Key of a metric to its value.
        images: Number of images.
        intervals: Key of a metric to its 95 % interval.
        intervals_method: Key of a metric to `wilson` or `bootstrap`.
        error_types: Number of images of each kind of error.
        pixel_errors: Errors of the boxes in pixels: `center` and `edges`.
        calibration: Calibration of the confidence.
        per_class: Scores of each class, in the order of the labels.
        by_position: Scores of each region of the image, row by row from the top left.
        confusion_matrix: Images by true label (row) and predicted label (column).
        baselines: Baseline to its scores and `images`, or `None` if it does not apply.
        dataset: The images that were scored.
        training: How the model was trained, as flat names and values.
    """

    model_config = ConfigDict(frozen=True)

    scores: dict[str, float]
    images: int
    intervals: dict[str, tuple[float, float]]
    intervals_method: dict[str, str]
    error_types: dict[str, int]
    pixel_errors: dict[str, PixelErrors]
    calibration: Calibration
    per_class: tuple[ClassScores, ...]
    by_position: tuple[RegionScores, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    baselines: dict[str, dict[str, float | int] | None]
    dataset: ScoredSplit
    training: dict[str, Any]

    @property
    def known_baselines(self) -> dict[str, dict[str, float | int]]:
        """Return the scores of the baselines that apply to the dataset, by name."""
        return {name: scores for name, scores in self.baselines.items() if scores is not None}

    @model_validator(mode="before")
    @classmethod
    def _gather_scores(cls, data: Any) -> Any:
        """Move the scores of a JSON document into the field `scores`."""
        if not isinstance(data, dict) or "scores" in data:
            return data
        fields = {name: data[name] for name in cls.model_fields if name in data}
        return {**fields, "scores": {key: data[key] for key in data if key not in fields}}

    @model_serializer(mode="wrap")
    def _flatten_scores(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Put the scores at the top level, first."""
        document = handler(self)
        return {**document.pop("scores"), **document}


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


def score(predictions: pd.DataFrame, image: ImageSettings, classes: int) -> dict[str, float]:
    """The scalar scores of a table of predictions.

    Args:
        predictions: One row an image, columns of the table `predictions`; at least one row.
        image: Shape of the images, where the table does not hold their sizes.
        classes: Number of classes.

    Returns:
        `label_accuracy`, `mean_iou`, `mean_iou_raw`, `median_iou`, `iou_at_50`, `iou_at_75`,
        `iou_at_90`, `iou_at_95`, `loc_accuracy`, `exact_box`, `ap`, `ap_50` and `ap_75`, all
        in [0, 1].
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
    }


def score_intervals(
    predictions: pd.DataFrame, image: ImageSettings, resamples: int, seed: int
) -> tuple[dict[str, tuple[float, float]], dict[str, str]]:
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
    ends = {name: (low, high) for name, (low, high) in intervals.items()}
    return ends, methods | dict.fromkeys(values, BOOTSTRAP)


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean())


def _median(values: npt.NDArray[np.float64]) -> float:
    return float(np.median(values))
