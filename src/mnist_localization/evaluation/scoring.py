"""The dataset `metrics`: scores, intervals, breakdowns and baselines."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mnist_localization.config import DatasetSettings, EvaluateSettings
from mnist_localization.errors import ModelError
from mnist_localization.evaluation.breakdowns import (
    by_position,
    calibration,
    confusion_matrix,
    error_types,
    per_class,
    pixel_errors,
)
from mnist_localization.evaluation.scores import Metrics, ScoredSplit, score, score_intervals


def evaluation_metrics(
    predictions: pd.DataFrame,
    baselines: Mapping[str, pd.DataFrame | None],
    settings: EvaluateSettings,
    dataset: DatasetSettings,
    seed: int,
    *,
    scored: ScoredSplit,
    training: Mapping[str, Any],
) -> Metrics:
    """Score a table of predictions and the baselines.

    Args:
        predictions: One row per image, columns of the table `predictions`.
        baselines: Name to the same table of a baseline; `None` if it does not apply.
        settings: The section `evaluate`.
        dataset: The section `dataset`.
        seed: Seed of the bootstrap.
        scored: The images that were scored.
        training: How the model was trained, as flat names and values.

    Raises:
        ModelError: There are no predictions, or a label is not one of the dataset's.
    """
    image, classes = dataset.image, len(dataset.class_names)
    _check_labels(predictions, classes)
    intervals, methods = score_intervals(predictions, image, settings.bootstrap_resamples, seed)
    return Metrics(
        scores=score(predictions, image, classes),
        images=len(predictions),
        intervals=intervals,
        intervals_method=methods,
        error_types=error_types(predictions),
        pixel_errors=pixel_errors(predictions, image),
        calibration=calibration(predictions, settings.calibration_bins),
        per_class=per_class(predictions, dataset.class_names),
        by_position=by_position(predictions, settings.position_grid),
        confusion_matrix=confusion_matrix(predictions, classes),
        baselines={
            name: None if table is None else score(table, image, classes) | {"images": len(table)}
            for name, table in baselines.items()
        },
        dataset=scored,
        training=dict(training),
    )


def baseline_remarks(metrics: Metrics) -> list[str]:
    """Return one sentence for each baseline that the model does not beat."""
    remarks = []
    mean_iou = metrics.scores["mean_iou"]
    constant = metrics.baselines.get("mean_box")
    if constant and mean_iou <= constant["mean_iou"]:
        remarks.append(
            f"the model does not beat a constant box: mean IoU {mean_iou:.4f}, baseline mean_box "
            f"{constant['mean_iou']:.4f}"
        )
    closed_form = metrics.baselines.get("center_of_mass")
    if closed_form and mean_iou < closed_form["mean_iou"]:
        remarks.append(
            f"the model trails the closed form: mean IoU {mean_iou:.4f}, baseline center_of_mass "
            f"{closed_form['mean_iou']:.4f}"
        )
    return remarks


def _check_labels(predictions: pd.DataFrame, classes: int) -> None:
    if predictions.empty:
        raise ModelError("there are no predictions to score; the test split holds no image")
    for column in ("label", "predicted_label"):
        values = predictions[column]
        unknown = predictions.loc[(values < 0) | (values >= classes)]
        if len(unknown):
            row = unknown.iloc[0]
            raise ModelError(
                f"{row['file']}: {column} is {row[column]}, but dataset.class_names has {classes} "
                "classes; the model or the split was made for another dataset, make them anew"
            )
