"""Nodes of the stage `publish`."""

from typing import Any

import pandas as pd

from mnist_localization.config import DatasetSettings, EvaluateSettings, PublishSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images import SplitDataset
from mnist_localization.evaluation import Metrics, handle_stale, stale_predictions
from mnist_localization.reporting.charts import ChartData
from mnist_localization.reporting.gallery import GalleryItem, collect
from mnist_localization.reporting.html.report import render_page
from mnist_localization.tracking import Publication, Tracker
from mnist_localization.tracking.publication import Localizer


def collect_gallery(
    settings: PublishSettings,
    evaluate: EvaluateSettings,
    dataset: DatasetSettings,
    seed: int,
    predictions: pd.DataFrame,
    localizer: Localizer,
    test_split: SplitDataset,
) -> list[GalleryItem]:
    """Choose the test images that every report shows, as checked box records.

    Everything that is published is made from these: what is stale is said here, once.
    """
    test = test_split.store
    handle_stale(stale_predictions(predictions, localizer, test.meta), evaluate.on_stale)
    return collect(predictions, test, settings.gallery, dataset.class_names, seed)


def render_html_report(
    dataset: DatasetSettings,
    gallery: list[GalleryItem],
    predictions: pd.DataFrame,
    baseline_predictions: pd.DataFrame,
    metrics: Metrics,
    training_history: pd.DataFrame,
    dataset_card: DatasetCard,
) -> str:
    """The report as one HTML page that needs nothing but a browser."""
    data = ChartData(metrics, predictions, baseline_predictions, dataset)
    return render_page(data, gallery, training_history, dataset_card)


def publish_to_wandb(
    dataset: DatasetSettings,
    gallery: list[GalleryItem],
    predictions: pd.DataFrame,
    metrics: Metrics,
    training_history: pd.DataFrame,
    dataset_card: DatasetCard,
    html_report: str,
    localizer: Localizer,
    tracker: Tracker,
) -> dict[str, Any]:
    """The same records as a W&B run, and as a W&B Report where a key is configured."""
    return tracker.publish(
        Publication(
            class_names=dataset.class_names,
            gallery=gallery,
            predictions=predictions,
            metrics=metrics,
            history=training_history,
            dataset_card=dataset_card,
            localizer=localizer,
            page=html_report,
        )
    )
