"""Nodes of the stage `publish`."""

import pandas as pd

from mnist_localization.config.data import DatasetSettings
from mnist_localization.config.results import EvaluateSettings, PublishSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images.store import SplitDataset
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.evaluation.staleness import handle_stale, stale_predictions
from mnist_localization.reporting.charts import ChartData
from mnist_localization.reporting.gallery import collect
from mnist_localization.reporting.html.report import render_page
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
        RecordError: A predicted box cannot be drawn.
    """
    store = test_split.store
    handle_stale(stale_predictions(predictions, localizer, store.meta), evaluate.on_stale)
    gallery = collect(predictions, store, settings.gallery, dataset.class_names, seed)
    data = ChartData(metrics, predictions, baseline_predictions, dataset)
    return render_page(data, gallery, training_history, dataset_card)


def publish_to_wandb(
    settings: PublishSettings,
    dataset: DatasetSettings,
    seed: int,
    predictions: pd.DataFrame,
    metrics: Metrics,
    training_history: pd.DataFrame,
    dataset_card: DatasetCard,
    localizer: Localizer,
    test_split: SplitDataset,
    html_report: str,
    tracker: Tracker,
) -> Receipt:
    """Publish the images and scores of the HTML report on W&B.

    A W&B Report is made as well if a key is configured.
    """
    names = dataset.class_names
    return tracker.publish(
        Publication(
            class_names=names,
            gallery=collect(predictions, test_split.store, settings.gallery, names, seed),
            predictions=predictions,
            metrics=metrics,
            history=training_history,
            dataset_card=dataset_card,
            localizer=localizer,
            page=html_report,
        )
    )
