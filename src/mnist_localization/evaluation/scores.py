"""The dataset `metrics`: scores, intervals, breakdowns and baselines of one evaluation."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from mnist_localization.config.data import DatasetSettings
from mnist_localization.config.results import EvaluateSettings
from mnist_localization.errors import ModelError
from mnist_localization.evaluation.breakdowns import (
    Calibration,
    ClassScores,
    PixelErrors,
    RegionScores,
    Result,
    by_position,
    calibration,
    confusion_matrix,
    error_types,
    per_class,
    pixel_errors,
)
from mnist_localization.evaluation.metrics import Metric, Outcomes, all_metrics

Interval = tuple[float, float]

# Values resampled at a time by the bootstrap: 16 MB of indices and values.
_RESAMPLED_VALUES = 1_000_000


class ScoredSplit(Result):
    """The images that were scored.

    Attributes:
        source: Source of the dataset.
        split: Name of the split.
        images: Number of images.
        fingerprint: SHA-256 of the split.
        validated_on: Set of the images that chose the best epoch (`train`, `validation` or
            `test`), if known.
    """

    source: str
    split: str
    images: int
    fingerprint: str
    validated_on: str | None = None


class Metrics(Result):
    """Scores, intervals, breakdowns and baselines of one evaluation.

    In the JSON document the scores are at the top level, next to the other fields.

    Attributes:
        scores: Key of a metric to its value.
        images: Number of images.
        intervals: Key of a metric to the low and high end of its 95 % interval.
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
        run: Name of the run that trained the model.
    """

    scores: dict[str, float]
    images: int
    intervals: dict[str, Interval]
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
    run: str = ""

    @property
    def known_metrics(self) -> tuple[Metric, ...]:
        """Return the registered metrics that have a score, in the order of reports."""
        return tuple(metric for metric in all_metrics() if metric.key in self.scores)

    @property
    def headlines(self) -> tuple[Metric, ...]:
        """Return the known metrics that reports show first."""
        return tuple(metric for metric in self.known_metrics if metric.headline)

    @property
    def known_baselines(self) -> dict[str, dict[str, float | int]]:
        """Return the scores of the baselines that apply to the dataset, by name."""
        return {name: scores for name, scores in self.baselines.items() if scores is not None}

    def headline_text(self) -> str:
        """Return the headline scores in one line."""
        return ", ".join(
            f"{metric.title[0].lower()}{metric.title[1:]} {metric.text(self.scores[metric.key])}"
            for metric in self.headlines
        )

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


def evaluate_predictions(
    predictions: pd.DataFrame,
    baselines: Iterable[tuple[str, pd.DataFrame]],
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
        baselines: Name of each baseline and the same table of it, without rows if it does not
            apply. An iterator of them needs the memory of one.
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
    outcomes = Outcomes(predictions, image, classes)
    return Metrics(
        scores=score(outcomes),
        images=len(predictions),
        intervals=score_intervals(outcomes, settings.bootstrap_resamples, seed),
        intervals_method={
            metric.key: metric.interval for metric in all_metrics() if metric.interval is not None
        },
        error_types=error_types(outcomes),
        pixel_errors=pixel_errors(outcomes),
        calibration=calibration(outcomes, settings.calibration_bins),
        per_class=per_class(outcomes, dataset.class_names),
        by_position=by_position(outcomes, settings.position_grid),
        confusion_matrix=confusion_matrix(outcomes),
        baselines={
            name: None
            if table.empty
            else {**score(Outcomes(table, image, classes)), "images": len(table)}
            for name, table in baselines
        },
        dataset=scored,
        training=dict(training),
    )


def score(outcomes: Outcomes) -> dict[str, float]:
    """Return the score of each registered metric, by key."""
    return {metric.key: metric.score(outcomes) for metric in all_metrics()}


def score_intervals(outcomes: Outcomes, resamples: int, seed: int) -> dict[str, Interval]:
    """Return the 95 % interval of each registered metric that has one, by key.

    Args:
        outcomes: The predictions.
        resamples: Number of resamples of the bootstrap.
        seed: Seed of the bootstrap.
    """
    intervals = {}
    for metric in all_metrics():
        if metric.interval is None:
            continue
        values = metric.values(outcomes)
        if metric.interval == "wilson":
            intervals[metric.key] = wilson_interval(values)
        else:
            intervals[metric.key] = bootstrap_interval(values, metric.statistic, resamples, seed)
    return intervals


def wilson_interval(values: npt.NDArray[np.bool_]) -> Interval:
    """Compute Wilson's score interval of a share, at 95 %.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    Unlike the normal approximation it stays within [0, 1] and has a width at shares of 0 and 1.

    Args:
        values: Whether each image counts, `[n]`, n > 0.
    """
    from scipy.stats import binomtest

    test = binomtest(int(values.sum()), values.size)
    low, high = test.proportion_ci(confidence_level=0.95, method="wilson")
    return float(low), float(high)


def bootstrap_interval(
    values: npt.NDArray[np.float64], statistic: Callable[..., Any], resamples: int, seed: int
) -> Interval:
    """Compute a percentile bootstrap interval, at 95 %.

    Args:
        values: One value per image, `[n]`, n > 0.
        statistic: Function of the values with the argument `axis`.
        resamples: Number of samples of `n` values drawn with replacement.
        seed: Seed of the resampling.
    """
    from scipy.stats import bootstrap

    if values.size == 1:
        return float(values[0]), float(values[0])
    low, high = bootstrap(
        (values,),
        statistic,
        n_resamples=resamples,
        batch=max(1, _RESAMPLED_VALUES // values.size),
        method="percentile",
        confidence_level=0.95,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(low), float(high)


def baseline_remarks(metrics: Metrics) -> list[str]:
    """Return one sentence for each baseline that the model does not beat."""
    mean_iou = metrics.scores["mean_iou"]
    return [
        f"the model does not beat the baseline {name}: mean IoU {mean_iou:.4f}, baseline "
        f"{scores['mean_iou']:.4f}"
        for name, scores in metrics.known_baselines.items()
        if mean_iou <= scores["mean_iou"] and mean_iou < 1
    ]


def _check_labels(predictions: pd.DataFrame, classes: int) -> None:
    if predictions.empty:
        raise ModelError("there are no predictions to score because the test split is empty")
    for column in ("label", "predicted_label"):
        unknown = predictions[~predictions[column].between(0, classes - 1)]
        if len(unknown):
            row = unknown.iloc[0]
            raise ModelError(
                f"{row['file']}: {column} is {row[column]}, but dataset.class_names has {classes} "
                "classes; the model or the split was made for another dataset, so run "
                "`kedro run --pipelines=split,train,evaluate`"
            )
