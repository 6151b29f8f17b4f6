"""Nodes of the stage `evaluate`."""

import logging
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from mnist_localization.config import DatasetSettings, EvaluateSettings, GallerySettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images import SplitDataset
from mnist_localization.evaluation import (
    Localizer,
    Metrics,
    ScoredSplit,
    evaluation_metrics,
    handle_stale,
    model_fingerprint,
    predict_store,
    run_record,
    stale_card,
    stale_model,
    stale_predictions,
    training_facts,
    with_fingerprints,
)
from mnist_localization.evaluation.baselines import BASELINES, predict_baselines
from mnist_localization.evaluation.robustness import ROBUSTNESS_COLUMNS, robustness_table
from mnist_localization.reporting.gallery import collect
from mnist_localization.tracking import Tracker

logger = logging.getLogger(__name__)


def predict_test_split(
    settings: EvaluateSettings,
    localizer: Localizer,
    train_split: SplitDataset,
    validation_split: SplitDataset,
    test_split: SplitDataset,
) -> pd.DataFrame:
    """Predict every test image, once the model is known to be of the splits on disk.

    Returns:
        The table `predictions`; its `attrs` hold the fingerprints of model and test split.
    """
    from mnist_localization.models.saving import prediction_model, provenance

    splits = [train_split.store.meta, validation_split.store.meta]
    handle_stale(stale_model(provenance(localizer), splits), settings.on_stale)
    test = test_split.store
    predictor = prediction_model(localizer).predict_on_batch
    return with_fingerprints(
        predict_store(predictor, test, settings.batch_size), localizer, test.meta
    )


def predict_test_baselines(
    dataset: DatasetSettings, train_split: SplitDataset, test_split: SplitDataset
) -> pd.DataFrame:
    """What the baselines answer for every test image."""
    return predict_baselines(train_split.store, test_split.store, dataset.whole_pixel_boxes)


def score_predictions(
    settings: EvaluateSettings,
    dataset: DatasetSettings,
    seed: int,
    predictions: pd.DataFrame,
    baseline_predictions: pd.DataFrame,
    localizer: Localizer,
    test_split: SplitDataset,
    dataset_card: DatasetCard,
    tracker: Tracker,
) -> Metrics:
    """Score the predictions beside the baselines.

    Returns:
        The dataset `metrics`.
    """
    from mnist_localization.models.saving import provenance

    meta = test_split.store.meta
    mismatches = stale_predictions(predictions, localizer, meta) + stale_card(dataset_card, meta)
    handle_stale(mismatches, settings.on_stale)
    answers = dict(list(baseline_predictions.groupby("baseline")))
    baselines = {name: answers.get(name) for name in BASELINES}
    known = provenance(localizer)
    scored = ScoredSplit(
        # The source of the split, because the dataset card may be that of a later fetch.
        source=meta.source,
        split=meta.split,
        images=len(predictions),
        fingerprint=meta.fingerprint,
        validated_on=known.validated_on,
    )
    metrics = evaluation_metrics(
        predictions,
        baselines,
        settings,
        dataset,
        seed,
        scored=scored,
        training=training_facts(known),
    )
    _log_summary(metrics)
    tracker.log_scores(metrics)
    return metrics


def record_run(metrics: Metrics, localizer: Localizer) -> dict[str, dict[str, Any]]:
    """What is kept of this evaluation when later ones have replaced its metrics.

    Returns:
        One entry: the run's name and its record.
    """
    from mnist_localization.models.saving import provenance

    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = run_record(metrics, provenance(localizer), model_fingerprint(localizer), now)
    logger.info("Recorded as run %s (kedro run --pipeline=compare).", record["run"])
    return {record["run"]: record}


def measure_robustness(
    settings: EvaluateSettings,
    dataset: DatasetSettings,
    seed: int,
    localizer: Localizer,
    train_split: SplitDataset,
    test_split: SplitDataset,
) -> pd.DataFrame:
    """Scores of model and closed form on the perturbed test split, where asked for.

    Returns:
        One row a perturbation; no rows where `evaluate.robustness` is off.
    """
    if not settings.robustness:
        return pd.DataFrame(columns=list(ROBUSTNESS_COLUMNS))
    from mnist_localization.models.saving import prediction_model

    table = robustness_table(
        prediction_model(localizer).predict_on_batch,
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
    predictions: pd.DataFrame,
    baseline_predictions: pd.DataFrame,
    metrics: Metrics,
) -> tuple[Any, Any, Any, Any, Any]:
    """Charts of the scores, as Plotly reporting.

    Returns:
        Histogram of the IoU, confusion matrix, bars by class, map by position, reliability.
    """
    from mnist_localization import reporting

    baselines = {str(name): rows["iou"] for name, rows in baseline_predictions.groupby("baseline")}
    return (
        reporting.iou_histogram(predictions["iou"], baselines),
        reporting.confusion_heatmap(metrics, dataset.class_names),
        reporting.class_scores(metrics),
        reporting.position_heatmap(metrics, dataset),
        reporting.reliability_diagram(metrics),
    )


def draw_contact_sheets(
    settings: EvaluateSettings,
    dataset: DatasetSettings,
    seed: int,
    predictions: pd.DataFrame,
    test_split: SplitDataset,
) -> tuple[Any, Any]:
    """Test images with true and predicted box, as Matplotlib reporting.

    Returns:
        The images with the lowest IoU, and a random sample.
    """
    from mnist_localization.reporting import contact_sheet

    count = min(settings.contact_sheet, len(predictions))
    names = dataset.class_names
    sheets = []
    for choice, title in (
        (GallerySettings(worst=count, mistakes=0, random=0), "with the lowest IoU"),
        (GallerySettings(worst=0, mistakes=0, random=count), "drawn at random"),
    ):
        items = collect(predictions, test_split.store, choice, names, seed)
        heading = f"{count} of {len(predictions):,} test images, {title}"
        sheets.append(contact_sheet([item.record for item in items], names, heading))
    return sheets[0], sheets[1]


def _log_summary(metrics: Metrics) -> None:
    logger.info(
        "Test split (%s, %d images): label accuracy %.2f %%, mean IoU %.4f (%.4f before any "
        "snapping), exact boxes %.2f %%, localization accuracy %.2f %%.",
        metrics.dataset.source,
        metrics.images,
        100 * metrics.scores["label_accuracy"],
        metrics.scores["mean_iou"],
        metrics.scores["mean_iou_raw"],
        100 * metrics.scores["exact_box"],
        100 * metrics.scores["loc_accuracy"],
    )
    if metrics.dataset.validated_on == "test":
        logger.warning(
            "The model was validated on the test split: no figure on it is unbiased (use "
            "split.validation.source: train)."
        )
