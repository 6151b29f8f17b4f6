"""Nodes of the stage `publish`."""

import pandas as pd

from mnist_localization.config.data import DatasetSettings
from mnist_localization.config.results import EvaluateSettings, PublishSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images.store import SplitDataset
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.evaluation.staleness import handle_stale, stale_predictions
from mnist_localization.reporting.gallery import collect
from mnist_localization.reporting.html.report import render_report
from mnist_localization.tracking import Publication, Receipt, Tracker
from mnist_localization.tracking.publication import Localizer


def render_html_report(
    settings: PublishSettings,
    evaluate: EvaluateSettings,
    dataset: DatasetSettings,
    seed: int,
    predictions: pd.DataFrame,
    baseline_predictions: pd.DataFrame,
    metrics: Metrics,
    training_history: pd.DataFrame,
    dataset_card: DatasetCard,
    localizer: Localizer,
    test_split: SplitDataset,
) -> str:
    """Return the HTML report.

    Raises:
        StaleError: The predictions are of another model or split, and `evaluate.on_stale` is
            `error`.
    """
    meta = test_split.store.meta
    handle_stale(stale_predictions(predictions, localizer, meta), evaluate.on_stale)
    return render_report(
        settings,
        dataset,
        seed,
        predictions,
        baseline_predictions,
        metrics,
        training_history,
        dataset_card,
        test_split,
    )


def publish_to_wandb(
    settings: PublishSettings,
    evaluate: EvaluateSettings,
    dataset: DatasetSettings,
    seed: int,
    predictions: pd.DataFrame,
    baseline_predictions: pd.DataFrame,
    metrics: Metrics,
    training_history: pd.DataFrame,
    dataset_card: DatasetCard,
    localizer: Localizer,
    test_split: SplitDataset,
    tracker: Tracker,
) -> Receipt:
    """Publish the same images and scores on W&B, with a W&B Report if a key is configured.

    Raises:
        StaleError: The predictions are of another model or split, and `evaluate.on_stale` is
            `error`.
    """
    store, names = test_split.store, dataset.class_names
    handle_stale(stale_predictions(predictions, localizer, store.meta), evaluate.on_stale)
    return tracker.publish(
        Publication(
            class_names=names,
            gallery=collect(predictions, store, settings.gallery, names, seed),
            predictions=predictions,
            metrics=metrics,
            history=training_history,
            dataset_card=dataset_card,
            localizer=localizer,
            page=lambda: render_report(
                settings,
                dataset,
                seed,
                predictions,
                baseline_predictions,
                metrics,
                training_history,
                dataset_card,
                test_split,
            ),
        )
    )
