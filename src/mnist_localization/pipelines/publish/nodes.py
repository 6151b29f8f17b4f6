"""Node of the stage `publish`."""

import pandas as pd

from mnist_localization.config.data import DatasetSettings
from mnist_localization.config.results import EvaluateSettings, PublishSettings
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images.store import SplitDataset
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.evaluation.staleness import handle_stale, stale_names, stale_predictions
from mnist_localization.models.runs import LATEST, Runs
from mnist_localization.reporting.charts import ChartData
from mnist_localization.reporting.gallery import collect
from mnist_localization.reporting.html.report import render_page
from mnist_localization.tracking import Publication, Receipt, Tracker


def publish_results(
    settings: PublishSettings,
    evaluate: EvaluateSettings,
    dataset: DatasetSettings,
    seed: int,
    class_names: ClassNames,
    predictions: pd.DataFrame,
    baseline_predictions: pd.DataFrame,
    metrics: Metrics,
    training_history: pd.DataFrame,
    dataset_card: DatasetCard,
    runs: Runs,
    test_split: SplitDataset,
    tracker: Tracker,
) -> tuple[str, Receipt]:
    """Publish the same images and scores as an HTML page and on W&B.

    A W&B Report is made as well if a key is configured.

    Returns:
        The HTML report, and what was recorded on W&B.

    Raises:
        StaleError: The predictions are of another model or split, and `evaluate.on_stale` is
            `error`.
        RecordError: A predicted box cannot be drawn.
    """
    dataset = dataset.with_class_names(class_names.root)
    localizer, is_latest = runs.load(evaluate.model), evaluate.model == LATEST
    # The history of the last training is a dataset; those of other runs are in their folders.
    history = training_history if is_latest else runs.history(evaluate.model)
    store, names = test_split.store, dataset.class_names
    stale = stale_predictions(predictions, localizer, store.meta)
    stale += stale_names(names, None, store.meta)
    handle_stale(stale, evaluate.on_stale)
    gallery = collect(predictions, store, settings.gallery, names, seed)
    data = ChartData(metrics, predictions, baseline_predictions, dataset)
    page = render_page(data, gallery, history, dataset_card)
    publication = Publication(
        class_names=names,
        gallery=gallery,
        predictions=predictions,
        metrics=metrics,
        history=history,
        dataset_card=dataset_card,
        localizer=localizer,
        page=page,
        run="" if stale else metrics.run,  # else the scores may be of another model
    )
    return page, tracker.publish(publication, runs.promotion().run)
