"""Breakdowns of the errors: by kind, in pixels, by class, by position, by confidence."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict

from mnist_localization.config import ImageSettings
from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    image_sizes,
    pixel_corners,
)
from mnist_localization.evaluation.metrics.average_precision import average_precisions
from mnist_localization.evaluation.metrics.boxes import FOUND_IOU

# A matrix or one bar per class is not readable with more classes; the worst ones are shown.
SHOWN_CLASSES = 20
_LISTED_CONFUSIONS = 20


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class PixelErrors(_Result):
    """Distances in pixels: mean, 95th percentile and maximum."""

    mean: float
    p95: float
    max: float


class CalibrationBin(_Result):
    """Images whose confidence is above `low` and at most `high`.

    The mean `confidence` and the `accuracy` are `None` in an empty bin.
    """

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None


class Calibration(_Result):
    """Expected calibration error in [0, 1], and its bins of equal width over [0, 1]."""

    ece: float
    bins: tuple[CalibrationBin, ...]


class ClassScores(_Result):
    """Scores of one class.

    `precision` is `None` if the class was never predicted, the others if no image has it.
    """

    label: int
    name: str
    images: int
    precision: float | None
    recall: float | None
    mean_iou: float | None
    iou_at_50: float | None
    ap: float | None


class RegionScores(_Result):
    """Scores of one region of the image; `None` if no true box has its center there."""

    row: int
    column: int
    images: int
    mean_iou: float | None
    label_accuracy: float | None


class Confusion(NamedTuple):
    """Number of images of one class that were predicted as another class.

    Attributes:
        true: True label.
        predicted: Predicted label.
        images: Number of images.
        share: Share of the images of the true class, in [0, 1].
    """

    true: int
    predicted: int
    images: int
    share: float


def error_types(predictions: pd.DataFrame) -> dict[str, int]:
    """Count the images of each kind of error; every image is of exactly one kind.

    Returns:
        `correct`, `class_wrong` (box found), `box_poor` (IoU below 0.5, class right), `both`.
    """
    wrong = (predictions["label"] != predictions["predicted_label"]).to_numpy()
    poor = predictions["iou"].to_numpy() < FOUND_IOU
    return {
        "correct": int((~wrong & ~poor).sum()),
        "class_wrong": int((wrong & ~poor).sum()),
        "box_poor": int((~wrong & poor).sum()),
        "both": int((wrong & poor).sum()),
    }


def pixel_errors(predictions: pd.DataFrame, image: ImageSettings) -> dict[str, PixelErrors]:
    """Measure the errors of the predicted boxes in pixels.

    Returns:
        `center` (distance of the centers) and `edges` (distance of each of the four edges).
    """
    sizes = image_sizes(predictions, image.height, image.width)
    true, predicted = (
        pixel_corners(predictions[list(columns)].to_numpy(), *sizes)
        for columns in (BOX_COLUMNS, PREDICTED_BOX_COLUMNS)
    )
    offsets = predicted - true
    centers = np.hypot(*((offsets[:, :2] + offsets[:, 2:]) / 2).T)
    return {"center": _spread(centers), "edges": _spread(np.abs(offsets).ravel())}


def confusion_matrix(predictions: pd.DataFrame, classes: int) -> tuple[tuple[int, ...], ...]:
    """Count images by true label (row) and predicted label (column), `[classes][classes]`."""
    from sklearn import metrics

    counts = metrics.confusion_matrix(
        predictions["label"], predictions["predicted_label"], labels=range(classes)
    )
    return tuple(tuple(row) for row in counts.tolist())


def most_confused(matrix: Sequence[Sequence[int]]) -> list[Confusion]:
    """List the pairs of classes that are confused most often.

    Args:
        matrix: Images by true label (row) and predicted label (column).

    Returns:
        At most 20 pairs, the most frequent first; ties are ordered by label.
    """
    counts = np.array(matrix)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    true, predicted = np.nonzero(counts)
    order = np.argsort(-counts[true, predicted], kind="stable")[:_LISTED_CONFUSIONS]
    pairs = zip(true[order].tolist(), predicted[order].tolist(), strict=True)
    return [
        Confusion(row, column, int(counts[row, column]), float(counts[row, column] / totals[row]))
        for row, column in pairs
    ]


def worst_classes(entries: Sequence[ClassScores]) -> list[ClassScores]:
    """Select the classes to show: all if they are few, else those with the lowest scores.

    Args:
        entries: Scores of all classes.

    Returns:
        At most 20 entries. If some are left out: those that have images, ordered by recall,
        then by mean IoU, the worst first.
    """
    if len(entries) <= SHOWN_CLASSES:
        return list(entries)
    seen = [entry for entry in entries if entry.images]
    return sorted(seen, key=lambda entry: (entry.recall, entry.mean_iou))[:SHOWN_CLASSES]


def per_class(predictions: pd.DataFrame, class_names: Sequence[str]) -> tuple[ClassScores, ...]:
    """Score each class, in the order of the labels."""
    from sklearn.metrics import precision_recall_fscore_support

    labels = range(len(class_names))
    precision, recall, _, _ = precision_recall_fscore_support(
        predictions["label"], predictions["predicted_label"], labels=labels, zero_division=np.nan
    )
    iou = predictions["iou"].to_numpy()
    means = _group_means(
        predictions["label"].to_numpy(),
        len(class_names),
        mean_iou=iou,
        iou_at_50=iou >= FOUND_IOU,
    )
    ap = average_precisions(predictions, len(class_names)).mean(axis=1)
    return tuple(
        ClassScores(
            label=label,
            name=class_names[label],
            precision=_none_if_nan(precision[label]),
            recall=_none_if_nan(recall[label]),
            ap=_none_if_nan(ap[label]),
            **means[label],
        )
        for label in labels
    )


def by_position(predictions: pd.DataFrame, grid: int) -> tuple[RegionScores, ...]:
    """Score the regions of the image, by the center of the true box.

    Args:
        predictions: One row per image, columns of the table `predictions`.
        grid: The image is divided into `grid` times `grid` regions.

    Returns:
        One entry per region, row by row from the top left.
    """
    corners = predictions[list(BOX_COLUMNS)].to_numpy(np.float64)
    centers = (corners[:, :2] + corners[:, 2:]) / 2
    columns, rows = np.minimum((centers * grid).astype(int), grid - 1).T
    means = _group_means(
        rows * grid + columns,
        grid * grid,
        mean_iou=predictions["iou"].to_numpy(),
        label_accuracy=(predictions["label"] == predictions["predicted_label"]).to_numpy(),
    )
    return tuple(
        RegionScores(row=region // grid, column=region % grid, **group)
        for region, group in enumerate(means)
    )


def calibration(predictions: pd.DataFrame, bins: int) -> Calibration:
    """Compute the expected calibration error (ECE) of the labels.

    C. Guo et al., "On Calibration of Modern Neural Networks" (2017): the gap between accuracy
    and mean confidence of each bin, weighted by the bin's share of the images.

    Args:
        predictions: One row per image, columns `label, predicted_label, confidence`.
        bins: Number of bins of equal width over [0, 1].
    """
    confidence = predictions["confidence"].to_numpy(np.float64)
    correct = (predictions["label"] == predictions["predicted_label"]).to_numpy()
    edges = np.linspace(0.0, 1.0, bins + 1)
    members = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    means = _group_means(members, bins, confidence=confidence, accuracy=correct)
    entries = tuple(
        CalibrationBin(low=edges[index], high=edges[index + 1], **group)
        for index, group in enumerate(means)
    )
    gaps = np.bincount(members, weights=correct - confidence, minlength=bins)
    return Calibration(ece=float(np.abs(gaps).sum() / len(predictions)), bins=entries)


def _group_means(
    groups: npt.NDArray[np.integer[Any]], count: int, **values: npt.NDArray[Any]
) -> list[dict[str, Any]]:
    """Return the number of `images` and the means of values in the groups 0 to `count - 1`.

    Args:
        groups: Group of each image, `[n]`.
        count: Number of groups.
        **values: Values of each image, `[n]`.

    Returns:
        One entry per group; a mean without images is `None`.
    """
    images = np.bincount(groups, minlength=count)
    with np.errstate(invalid="ignore"):
        means = {
            name: np.bincount(groups, weights=column, minlength=count) / images
            for name, column in values.items()
        }
    return [
        {"images": int(images[group])}
        | {name: _none_if_nan(column[group]) for name, column in means.items()}
        for group in range(count)
    ]


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _spread(distances: npt.NDArray[np.float64]) -> PixelErrors:
    return PixelErrors(
        mean=float(distances.mean()),
        p95=float(np.quantile(distances, 0.95)),
        max=float(distances.max()),
    )
