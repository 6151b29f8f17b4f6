"""Breakdowns of the errors: by kind, in pixels, by class, by position, by confidence."""

from collections.abc import Sequence
from typing import NamedTuple

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
from mnist_localization.evaluation.average_precision import average_precisions

# IoU from which on a box counts as found.
FOUND_IOU = 0.5
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
    cells = predictions["label"].to_numpy() * classes + predictions["predicted_label"].to_numpy()
    counts = np.bincount(cells, minlength=classes * classes)
    return tuple(tuple(row) for row in counts.reshape(classes, classes).tolist())


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
    true = predictions["label"].to_numpy()
    predicted = predictions["predicted_label"].to_numpy()
    iou = predictions["iou"].to_numpy()
    ap = average_precisions(predictions, len(class_names)).mean(axis=1)
    entries = []
    for label, name in enumerate(class_names):
        own = true == label
        hits = own & (predicted == label)
        entries.append(
            ClassScores(
                label=label,
                name=name,
                images=int(own.sum()),
                precision=_mean(hits[predicted == label]),
                recall=_mean(hits[own]),
                mean_iou=_mean(iou[own]),
                iou_at_50=_mean(iou[own] >= FOUND_IOU),
                ap=float(ap[label]) if own.any() else None,
            )
        )
    return tuple(entries)


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
    iou = predictions["iou"].to_numpy()
    right = (predictions["label"] == predictions["predicted_label"]).to_numpy()
    entries = []
    for row, column in np.ndindex(grid, grid):
        inside = (rows == row) & (columns == column)
        entries.append(
            RegionScores(
                row=row,
                column=column,
                images=int(inside.sum()),
                mean_iou=_mean(iou[inside]),
                label_accuracy=_mean(right[inside]),
            )
        )
    return tuple(entries)


def calibration(predictions: pd.DataFrame, bins: int) -> Calibration:
    """Compute the expected calibration error of the labels.

    C. Guo et al., "On Calibration of Modern Neural Networks" (2017): the gap between accuracy
    and mean confidence of each bin, weighted by the bin's share of the images.

    Args:
        predictions: One row per image, columns `label, predicted_label, confidence`.
        bins: Number of bins of equal width over [0, 1].
    """
    confidence = predictions["confidence"].to_numpy(np.float64)
    right = (predictions["label"] == predictions["predicted_label"]).to_numpy()
    edges = np.linspace(0.0, 1.0, bins + 1)
    member = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    entries = []
    error = 0.0
    for index in range(bins):
        inside = member == index
        images = int(inside.sum())
        if images:
            error += images * abs(right[inside].mean() - confidence[inside].mean())
        entries.append(
            CalibrationBin(
                low=float(edges[index]),
                high=float(edges[index + 1]),
                images=images,
                confidence=_mean(confidence[inside]),
                accuracy=_mean(right[inside]),
            )
        )
    return Calibration(ece=float(error / len(predictions)), bins=tuple(entries))


def _mean(values: npt.NDArray[np.bool_] | npt.NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None


def _spread(distances: npt.NDArray[np.float64]) -> PixelErrors:
    return PixelErrors(
        mean=float(distances.mean()),
        p95=float(np.quantile(distances, 0.95)),
        max=float(distances.max()),
    )
