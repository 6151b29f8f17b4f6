"""Breakdowns of the errors: by kind, in pixels, by class, by position, by confidence."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from mnist_localization.evaluation.metrics import Outcomes
from mnist_localization.evaluation.metrics.average_precision import average_precisions
from mnist_localization.evaluation.metrics.per_image import FOUND_IOU

# A matrix or one bar per class is not readable with more classes; the worst ones are shown.
SHOWN_CLASSES = 20
_LISTED_CONFUSIONS = 20


class Result(BaseModel):
    """Base class of the parts of the dataset `metrics`."""

    model_config = ConfigDict(frozen=True)


class PixelErrors(Result):
    """Distances in pixels: mean, 95th percentile and maximum."""

    mean: float
    p95: float
    max: float


class CalibrationBin(Result):
    """Images whose confidence is above `low` and at most `high`.

    The mean `confidence` and the `accuracy` are `None` in an empty bin.
    """

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None


class Calibration(Result):
    """Expected calibration error in [0, 1], and its bins of equal width over [0, 1]."""

    ece: float
    bins: tuple[CalibrationBin, ...]


class ClassScores(Result):
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


class RegionScores(Result):
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


def error_types(outcomes: Outcomes) -> dict[str, int]:
    """Count the images of each kind of error; every image is of exactly one kind.

    Returns:
        `correct`, `class_wrong` (box found), `box_poor` (IoU below 0.5, class right), `both`.
    """
    label, box = outcomes.label_correct, outcomes.iou >= FOUND_IOU
    return {
        "correct": int((label & box).sum()),
        "class_wrong": int((~label & box).sum()),
        "box_poor": int((label & ~box).sum()),
        "both": int((~label & ~box).sum()),
    }


def pixel_errors(outcomes: Outcomes) -> dict[str, PixelErrors]:
    """Measure the errors of the predicted boxes in pixels.

    Returns:
        `center` (distance of the centers) and `edges` (distance of each of the four edges).
    """
    offsets = outcomes.in_pixels(outcomes.predicted_boxes - outcomes.true_boxes)
    centers = np.hypot(*((offsets[:, :2] + offsets[:, 2:]) / 2).T)
    return {"center": _spread(centers), "edges": _spread(np.abs(offsets).ravel())}


def confusion_matrix(outcomes: Outcomes) -> tuple[tuple[int, ...], ...]:
    """Count images by true label (row) and predicted label (column), `[classes][classes]`."""
    from sklearn import metrics

    table = outcomes.table
    counts = metrics.confusion_matrix(
        table["label"], table["predicted_label"], labels=range(outcomes.classes)
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


def per_class(outcomes: Outcomes, class_names: Sequence[str]) -> tuple[ClassScores, ...]:
    """Score each class, in the order of the labels."""
    from sklearn.metrics import precision_recall_fscore_support

    true, predicted = outcomes.table["label"], outcomes.table["predicted_label"]
    labels = range(outcomes.classes)
    precision, recall, _, _ = precision_recall_fscore_support(
        true, predicted, labels=labels, zero_division=np.nan
    )
    ap = average_precisions(outcomes).mean(axis=1)
    means = _group_means(
        true.to_numpy(),
        outcomes.classes,
        mean_iou=outcomes.iou,
        iou_at_50=outcomes.iou >= FOUND_IOU,
    )
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


def by_position(outcomes: Outcomes, grid: int) -> tuple[RegionScores, ...]:
    """Score the regions of the image, by the center of the true box.

    Args:
        outcomes: The predictions.
        grid: The image is divided into `grid` times `grid` regions.

    Returns:
        One entry per region, row by row from the top left.
    """
    centers = (outcomes.true_boxes[:, :2] + outcomes.true_boxes[:, 2:]) / 2
    columns, rows = np.minimum((centers * grid).astype(int), grid - 1).T
    means = _group_means(
        rows * grid + columns,
        grid * grid,
        mean_iou=outcomes.iou,
        label_accuracy=outcomes.label_correct,
    )
    return tuple(
        RegionScores(row=region // grid, column=region % grid, **group)
        for region, group in enumerate(means)
    )


def calibration(outcomes: Outcomes, bins: int) -> Calibration:
    """Compute the expected calibration error (ECE) of the labels.

    C. Guo et al., "On Calibration of Modern Neural Networks" (2017): the gap between accuracy
    and mean confidence of each bin, weighted by the bin's share of the images.

    Args:
        outcomes: The predictions.
        bins: Number of bins of equal width over [0, 1].
    """
    confidence = outcomes.table["confidence"].to_numpy(np.float64)
    edges = np.linspace(0.0, 1.0, bins + 1)
    members = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    means = _group_means(members, bins, confidence=confidence, accuracy=outcomes.label_correct)
    entries = tuple(
        CalibrationBin(low=edges[index], high=edges[index + 1], **group)
        for index, group in enumerate(means)
    )
    gaps = np.bincount(members, weights=outcomes.label_correct - confidence, minlength=bins)
    return Calibration(ece=float(np.abs(gaps).sum() / len(confidence)), bins=entries)


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
