"""Breakdowns of the errors: by kind, in pixels, by class, by position, by confidence."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict

from mnist_localization.evaluation.metrics import Outcomes
from mnist_localization.evaluation.metrics.average_precision import average_precisions
from mnist_localization.evaluation.metrics.per_image import FOUND_IOU

# A matrix or one bar per class is not readable with more classes; the worst ones are shown.
SHOWN_CLASSES = 20
_LISTED_CONFUSIONS = 20

# A mean over images, or `None` if there are no images.
Mean = Annotated[float | None, BeforeValidator(lambda value: None if pd.isna(value) else value)]


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
    confidence: Mean
    accuracy: Mean


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
    precision: Mean
    recall: Mean
    mean_iou: Mean
    iou_at_50: Mean
    ap: Mean


class RegionScores(Result):
    """Scores of one region of the image; `None` if no true box has its center there."""

    row: int
    column: int
    images: int
    mean_iou: Mean
    label_accuracy: Mean


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
    if outcomes.classes == 1:
        return ((len(table),),)  # for which scikit-learn warns
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
    precision, recall, _, _ = precision_recall_fscore_support(
        true, predicted, labels=range(outcomes.classes), zero_division=np.nan
    )
    found = outcomes.iou >= FOUND_IOU
    table = _group_means(
        true.to_numpy(), outcomes.classes, mean_iou=outcomes.iou, iou_at_50=found
    ).assign(
        label=range(outcomes.classes),
        name=list(class_names),
        precision=precision,
        recall=recall,
        ap=average_precisions(outcomes).mean(axis=1),
    )
    return tuple(ClassScores.model_validate(row) for row in table.to_dict("records"))


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
    table = _group_means(
        rows * grid + columns,
        grid * grid,
        mean_iou=outcomes.iou,
        label_accuracy=outcomes.label_correct,
    )
    table["row"], table["column"] = np.divmod(table.index, grid)
    return tuple(RegionScores.model_validate(row) for row in table.to_dict("records"))


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
    table = _group_means(members, bins, confidence=confidence, accuracy=outcomes.label_correct)
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return Calibration(
        ece=(gaps * table["images"]).sum() / len(confidence),
        bins=tuple(
            CalibrationBin.model_validate(row)
            for row in table.assign(low=edges[:-1], high=edges[1:]).to_dict("records")
        ),
    )


def _group_means(
    groups: npt.NDArray[np.integer], count: int, **values: npt.ArrayLike
) -> pd.DataFrame:
    """Return the number of `images` and the means of values in the groups 0 to `count - 1`.

    Args:
        groups: Group of each image, `[n]`.
        count: Number of groups.
        **values: Values of each image, `[n]`.

    Returns:
        One row per group; a mean without images is NaN.
    """
    means = pd.DataFrame(values).groupby(groups).mean().reindex(range(count))
    return means.assign(images=np.bincount(groups, minlength=count))


def _spread(distances: npt.NDArray[np.float64]) -> PixelErrors:
    return PixelErrors(
        mean=float(distances.mean()),
        p95=float(np.quantile(distances, 0.95)),
        max=float(distances.max()),
    )
