"""Nodes of the stage `export`."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from mnist_localization.config import DatasetSettings, EvaluateSettings, ExportSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images import SplitDataset
from mnist_localization.evaluation import (
    Metrics,
    handle_stale,
    model_fingerprint,
    stale_model,
    stale_predictions,
)
from mnist_localization.runtime import versions

logger = logging.getLogger(__name__)


def export_formats(
    settings: ExportSettings,
    evaluate: EvaluateSettings,
    seed: int,
    localizer: Any,
    train_split: SplitDataset,
    test_split: SplitDataset,
    exported_models: Path,
) -> pd.DataFrame:
    """Write the localizer in each format, once it is known to be of the splits on disk.

    Each file is checked against the Keras model.

    Returns:
        The dataset `export_report`: one row a format.
    """
    from mnist_localization.export import export_localizer
    from mnist_localization.models.saving import provenance

    train, test = train_split.store, test_split.store
    handle_stale(stale_model(provenance(localizer), [train.meta, test.meta]), evaluate.on_stale)
    report = export_localizer(localizer, train, test, settings, exported_models, seed)
    logger.info("Exported:\n%s", report.to_string(index=False, float_format="%.4f"))
    return report


def write_model_card(
    settings: ExportSettings,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
    localizer: Any,
    test_split: SplitDataset,
    predictions: pd.DataFrame,
    metrics: Metrics,
    dataset_card: DatasetCard,
    robustness: pd.DataFrame,
    export_report: pd.DataFrame,
) -> str:
    """The model card, once the scores on disk are known to be of the model on disk.

    Returns:
        The dataset `model_card`: Markdown.
    """
    from mnist_localization.export import ModelFacts, model_card
    from mnist_localization.models.saving import provenance

    meta = test_split.store.meta
    handle_stale(stale_predictions(predictions, localizer, meta), evaluate.on_stale)
    model = ModelFacts(
        name=localizer.name,
        parameters=localizer.count_params(),
        fingerprint=model_fingerprint(localizer),
        provenance=provenance(localizer),
    )
    return model_card(
        settings.model_card,
        dataset,
        model,
        metrics=metrics,
        dataset_card=dataset_card,
        robustness=robustness,
        export_report=export_report,
        versions=versions(),
    )
