"""Where the errors are: by kind, in pixels, by class, by position."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.config import ImageSettings
from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    image_sizes,
    pixel_corners,
)
from mnist_localization.evaluation.average_precision import average_precisions
from mnist_localization.evaluation.scores import FOUND_IOU

# With more classes a matrix, or a bar for each, cannot be read: the worst stand for all.
SHOWN_CLASSES = 20
_LISTED_CONFUSIONS = 20


class Confusion(NamedTuple):
    """How often one class is taken for another.

    Attributes:
        true: Label of the true class.
        predicted: Label that was predicted instead.
        images: How many images.
        share: Their share of the images of the true class, in [0, 1].
    """

    true: int
    predicted: int
    images: int
    share: float


def error_types(predictions: pd.DataFrame) -> dict[str, int]:
    """Number of images of each kind; every image is of one kind.

    Returns:
        `correct`, `class_wrong` (box found), `box_poor` (IoU below .5, class right), `both`.
    """
    wrong = (predictions["label"] != predictions["predicted_label"]).to_numpy()
    poor = predictions["iou"].to_numpy() < FOUND_IOU
    return {
        "correct": int((~wrong & ~poor).sum()),
        "class_wrong": int((wrong & ~poor).sum()),
        "box_poor": int((~wrong & poor).sum()),
        "both": int((wrong & poor).sum()),
    }


def pixel_errors(predictions: pd.DataFrame, image: ImageSettings) -> dict[str, dict[str, float]]:
    """How far the boxes are off, in pixels.

    Returns:
        `center` (distance of the centers) and `edges` (distance of each of the four edges),
        each with `mean`, `p95` and `max`.
    """
    sizes = image_sizes(predictions, image.height, image.width)
    true, given = (
        pixel_corners(predictions[list(columns)].to_numpy(), *sizes)
        for columns in (BOX_COLUMNS, PREDICTED_BOX_COLUMNS)
    )
    off = given - true
    centers = np.hypot(*((off[:, :2] + off[:, 2:]) / 2).T)
    return {"center": _spread(centers), "edges": _spread(np.abs(off).ravel())}


def confusion_matrix(predictions: pd.DataFrame, classes: int) -> list[list[int]]:
    """Images by true label (row) and predicted label (column), `[classes][classes]`."""
    cells = predictions["label"].to_numpy() * classes + predictions["predicted_label"].to_numpy()
    counts = np.bincount(cells, minlength=classes * classes)
    return [[int(count) for count in row] for row in counts.reshape(classes, classes)]


def most_confused(matrix: Sequence[Sequence[int]]) -> list[Confusion]:
    """The pairs of classes that are mistaken most often: what a large matrix boils down to.

    Args:
        matrix: Images by true label (row) and predicted label (column).

    Returns:
        At most 20 pairs, the most frequent first; of equal ones the lower labels.
    """
    counts = np.array(matrix)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    # In the order of the labels, which a stable sort keeps.
    true, predicted = np.nonzero(counts)
    order = np.argsort(-counts[true, predicted], kind="stable")[:_LISTED_CONFUSIONS]
    pairs = zip(true[order].tolist(), predicted[order].tolist(), strict=True)
    return [
        Confusion(row, column, int(counts[row, column]), float(counts[row, column] / totals[row]))
        for row, column in pairs
    ]


def worst_classes(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The classes that can be shown: all of a few, else those of the lowest scores.

    Args:
        entries: What `per_class` gives.

    Returns:
        At most 20 entries; where some are left out, those that have images and the lowest
        recall, and among equals the lowest mean IoU, the worst first.
    """
    if len(entries) <= SHOWN_CLASSES:
        return list(entries)
    seen = [entry for entry in entries if entry["images"]]
    return sorted(seen, key=lambda entry: (entry["recall"], entry["mean_iou"]))[:SHOWN_CLASSES]


def per_class(predictions: pd.DataFrame, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Scores of each class.

    Returns:
        One entry a class: `label`, `name`, `images`, `precision` (null where it was never
        predicted), `recall`, `mean_iou`, `iou_at_50`, `ap` (null where no image has it).
    """
    true = predictions["label"].to_numpy()
    claimed = predictions["predicted_label"].to_numpy()
    iou = predictions["iou"].to_numpy()
    ap = average_precisions(predictions, len(class_names)).mean(axis=1)
    entries = []
    for label, name in enumerate(class_names):
        own = true == label
        hits = own & (claimed == label)
        entries.append(
            {
                "label": label,
                "name": name,
                "images": int(own.sum()),
                "precision": _mean(hits[claimed == label]),
                "recall": _mean(hits[own]),
                "mean_iou": _mean(iou[own]),
                "iou_at_50": _mean(iou[own] >= FOUND_IOU),
                "ap": float(ap[label]) if own.any() else None,
            }
        )
    return entries


def by_position(predictions: pd.DataFrame, grid: int) -> list[dict[str, Any]]:
    """Scores by where in the image the center of the true box lies.

    Args:
        predictions: One row an image, columns of the table `predictions`.
        grid: The image is divided into `grid` times `grid` regions.

    Returns:
        One entry a region, row by row from the top left: `row`, `column`, `images`,
        `mean_iou`, `label_accuracy` (null where there is no image).
    """
    corners = predictions[list(BOX_COLUMNS)].to_numpy(np.float64)
    centers = (corners[:, :2] + corners[:, 2:]) / 2
    columns, rows = np.minimum((centers * grid).astype(int), grid - 1).T
    iou = predictions["iou"].to_numpy()
    right = (predictions["label"] == predictions["predicted_label"]).to_numpy()
    entries = []
    for row in range(grid):
        for column in range(grid):
            inside = (rows == row) & (columns == column)
            entries.append(
                {
                    "row": row,
                    "column": column,
                    "images": int(inside.sum()),
                    "mean_iou": _mean(iou[inside]),
                    "label_accuracy": _mean(right[inside]),
                }
            )
    return entries


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(values.mean()) if values.size else None


def _spread(distances: npt.NDArray[np.float64]) -> dict[str, float]:
    return {
        "mean": float(distances.mean()),
        "p95": float(np.quantile(distances, 0.95)),
        "max": float(distances.max()),
    }
