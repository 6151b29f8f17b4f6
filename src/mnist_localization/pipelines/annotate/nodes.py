"""Nodes of the stage `annotate`."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from mnist_localization.config import AnnotateSettings, DatasetSettings
from mnist_localization.data.annotations import describe, read_annotations, require_good
from mnist_localization.data.dataset_card import DatasetCard

logger = logging.getLogger(__name__)


def annotate_dataset(
    settings: AnnotateSettings,
    dataset: DatasetSettings,
    dataset_card: DatasetCard,
    raw_folder: Path,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Parse and check the annotations of the fetched dataset.

    Returns:
        The training table, the test table (`file, label, xmin, ymin, xmax, ymax`, boxes
        relative; empty where the dataset has no test set), and a report of what was found.
    """
    folder = raw_folder / dataset_card.folder
    annotations = {
        name: read_annotations(
            folder / at.annotations, folder / at.images, dataset.class_names, dataset.annotations
        )
        for name, at in dataset_card.splits.items()
    }
    drop = settings.on_bad_rows == "drop"
    require_good(annotations, drop_bad_rows=drop, listed=settings.listed_bad_rows)
    report = {
        name: describe(split, dataset.class_names, settings.listed_bad_rows)
        for name, split in annotations.items()
    }
    for name, split in annotations.items():
        if split.bad_rows:
            logger.warning("%d bad rows of %s set aside.", len(split.bad_rows), name)
        logger.info("Annotated %d %s images.", len(split.table), name)
    train = annotations["train"].table
    test = annotations["test"].table if "test" in annotations else train.iloc[:0]
    return train, test, report
