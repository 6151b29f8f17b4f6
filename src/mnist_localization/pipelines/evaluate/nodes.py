"""Nodes of the stage `evaluate`."""

import logging
from typing import Any

import pandas as pd

from mnist_localization.config.data import DatasetSettings
from mnist_localization.config.results import EvaluateSettings
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images.store import SplitDataset
from mnist_localization.evaluation.baselines import BASELINES, predict_baselines
from mnist_localization.evaluation.predictions import predict_store
from mnist_localization.evaluation.robustness import ROBUSTNESS_COLUMNS, robustness_table
from mnist_localization.evaluation.runs import RunRecord, run_record, training_facts
from mnist_localization.evaluation.scores import Metrics, ScoredSplit, evaluate_predictions
from mnist_localization.evaluation.staleness import (
    handle_stale,
    stale_card,
    stale_model,
    stale_names,
    stale_predictions,
    with_fingerprints,
)
from mnist_localization.models.provenance import model_fingerprint
from mnist_localization.models.runs import Runs, now
from mnist_localization.tracking import Tracker

logger = logging.getLogger(__name__)


def predict_test_split(
    settings: EvaluateSettings,
    runs: Runs,
    train_split: SplitDataset,
    validation_split: SplitDataset,
    test_split: SplitDataset,
) -> pd.DataFrame:
    """Predict every test image, after a check that the model belongs to the splits on disk.

    Returns:
        The table `predictions`; its `attrs` hold the run, and the fingerprints of model and
        test split.
    """
    from mnist_localization.models.saving import prediction_model, provenance, run_of

    localizer = runs.load(settings.model)
    known = provenance(localizer)
    splits = [train_split.store.meta, validation_split.store.meta]
    handle_stale(stale_model(known, splits), settings.on_stale)
    test = test_split.store
    predictor = prediction_model(localizer).predict_on_batch
    table = predict_store(predictor, test, settings.batch_size)
    return with_fingerprints(table, localizer, test.meta, run_of(localizer))


def predict_test_baselines(
    dataset: DatasetSettings, train_split: SplitDataset, test_split: SplitDataset
) -> pd.DataFrame:
    """Predict every test image with the baselines that apply."""
    return predict_baselines(train_split.store, test_split.store, dataset.whole_pixel_boxes)


def score_predictions(
    settings: EvaluateSettings,
    dataset: DatasetSettings,
    seed: int,
    class_names: ClassNames,
    predictions: pd.DataFrame,
    baseline_predictions: pd.DataFrame,
    runs: Runs,
    test_split: SplitDataset,
    dataset_card: DatasetCard,
    tracker: Tracker,
) -> Metrics:
    """Score the predictions and the baselines.

    Returns:
        The dataset `metrics`.
    """
    from mnist_localization.models.saving import provenance, run_of

    meta, localizer = test_split.store.meta, runs.load(settings.model)
    known = provenance(localizer)
    mismatches = stale_predictions(predictions, localizer, meta) + stale_card(dataset_card, meta)
    mismatches += stale_names(class_names.root, known, meta)
    handle_stale(mismatches, settings.on_stale)
    baselines = (
        (name, baseline_predictions[baseline_predictions["baseline"] == name]) for name in BASELINES
    )
    scored = ScoredSplit(
        # The source of the split, because the dataset card may be that of a later fetch.
        source=meta.source,
        split=meta.split,
        images=len(predictions),
        fingerprint=meta.fingerprint,
        validated_on=known.validated_on,
    )
    facts = training_facts(known)
    dataset = dataset.with_class_names(class_names.root)
    metrics = evaluate_predictions(
        predictions, baselines, settings, dataset, seed, scored=scored, training=facts
    ).model_copy(update={"run": run_of(localizer)})
    _log_summary(metrics)
    tracker.log_scores(metrics)
    return metrics


def record_run(
    settings: EvaluateSettings, metrics: Metrics, predictions: pd.DataFrame, runs: Runs
) -> tuple[dict[str, RunRecord], dict[str, pd.DataFrame]]:
    """Record this evaluation for later comparisons.

    Returns:
        One partition of `run_history`, and one of `run_predictions`.
    """
    from mnist_localization.models.saving import provenance

    localizer = runs.load(settings.model)
    record = run_record(metrics, provenance(localizer), model_fingerprint(localizer), now())
    logger.info("Evaluated run %s (kedro runs list).", record.run)
    return {record.key: record}, {record.key: predictions}


def measure_robustness(
    settings: EvaluateSettings,
    dataset: DatasetSettings,
    seed: int,
    runs: Runs,
    train_split: SplitDataset,
    test_split: SplitDataset,
) -> pd.DataFrame:
    """Score model and closed form on the perturbed test split, if `evaluate.robustness` is on.

    Returns:
        One row per perturbation; no rows if `evaluate.robustness` is off.
    """
    if not settings.robustness:
        return pd.DataFrame(columns=list(ROBUSTNESS_COLUMNS))
    from mnist_localization.models.saving import prediction_model

    table = robustness_table(
        prediction_model(runs.load(settings.model)).predict_on_batch,
        train_split.store,
        test_split.store,
        whole_pixel_boxes=dataset.whole_pixel_boxes,
        batch_size=settings.batch_size,
        seed=seed,
    )
    logger.info("Robustness:\n%s", table.to_string(index=False, float_format="%.4f"))
    return table


def plot_scores(
    dataset: DatasetSettings,
    class_names: ClassNames,
    predictions: pd.DataFrame,
    baseline_predictions: pd.DataFrame,
    metrics: Metrics,
) -> tuple[Any, ...]:
    """Draw every chart of the registry as a Plotly figure, in the order of the names."""
    from mnist_localization.reporting.charts import ChartData, load_charts

    dataset = dataset.with_class_names(class_names.root)
    data = ChartData(metrics, predictions, baseline_predictions, dataset)
    return tuple(chart.plotly(data) for chart in load_charts().values())


def _log_summary(metrics: Metrics) -> None:
    source, text = metrics.dataset.source, metrics.headline_text()
    logger.info("Test split (%s, %d images): %s.", source, metrics.images, text)
    if metrics.dataset.validated_on == "test":
        logger.warning(
            "The model was validated on the test split, so no score on it is unbiased; set "
            "split.validation.source to train or given."
        )
