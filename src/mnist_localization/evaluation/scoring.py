"""The dataset `metrics`: scores, intervals, breakdowns and baselines in one mapping."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mnist_localization.config import DatasetSettings, EvaluateSettings
from mnist_localization.errors import ModelError
from mnist_localization.evaluation.breakdowns import (
    by_position,
    confusion_matrix,
    error_types,
    per_class,
    pixel_errors,
)
from mnist_localization.evaluation.calibration import calibration
from mnist_localization.evaluation.scores import score, score_intervals


def evaluation_metrics(
    predictions: pd.DataFrame,
    baselines: Mapping[str, pd.DataFrame | None],
    settings: EvaluateSettings,
    dataset: DatasetSettings,
    seed: int,
) -> dict[str, Any]:
    """Everything that is said of a table of predictions, as JSON values.

    Args:
        predictions: One row an image, columns of the table `predictions`.
        baselines: Name to the same table of a baseline; none where it does not apply.
        settings: The section `evaluate`.
        dataset: The section `dataset`.
        seed: Seed of the bootstrap.

    Returns:
        The scalars of `score`, then `intervals`, `intervals_method`, `error_types`,
        `pixel_errors`, `calibration`, `per_class`, `by_position`, `confusion_matrix` and
        `baselines` (name to the scalars, or null).

    Raises:
        ModelError: There are no predictions, or of a class that the dataset has not.
    """
    image, classes = dataset.image, len(dataset.class_names)
    _check_labels(predictions, classes)
    intervals, methods = score_intervals(predictions, image, settings.bootstrap_resamples, seed)
    return {
        **score(predictions, image, classes),
        "intervals": intervals,
        "intervals_method": methods,
        "error_types": error_types(predictions),
        "pixel_errors": pixel_errors(predictions, image),
        "calibration": calibration(predictions, settings.calibration_bins),
        "per_class": per_class(predictions, dataset.class_names),
        "by_position": by_position(predictions, settings.position_grid),
        "confusion_matrix": confusion_matrix(predictions, classes),
        "baselines": {
            name: None if table is None else score(table, image, classes)
            for name, table in baselines.items()
        },
    }


def baseline_remarks(metrics: Mapping[str, Any]) -> list[str]:
    """What a run has to be told about its baselines: one sentence for each that it trails.

    Args:
        metrics: What `evaluation_metrics` gives.
    """
    remarks = []
    mean_iou = metrics["mean_iou"]
    constant = metrics["baselines"].get("mean_box")
    if constant and mean_iou <= constant["mean_iou"]:
        remarks.append(
            f"the model does not beat a constant box: mean IoU {mean_iou:.4f}, baseline mean_box "
            f"{constant['mean_iou']:.4f}"
        )
    closed_form = metrics["baselines"].get("center_of_mass")
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
