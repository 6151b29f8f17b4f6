"""Nodes of the pipeline `check`."""

import logging
from pathlib import Path

import pandas as pd

from mnist_localization.config import CheckSettings, DatasetSettings, SplitSettings
from mnist_localization.data.checks import check_dataset
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.reporting.html.check import render_check_page

logger = logging.getLogger(__name__)


def examine_dataset(
    settings: CheckSettings,
    dataset: DatasetSettings,
    split: SplitSettings,
    dataset_card: DatasetCard,
    raw_folder: Path,
) -> pd.DataFrame:
    """Examine the annotations and every image of the fetched dataset.

    Returns:
        The table `dataset_check`.
    """
    check = check_dataset(settings, dataset, split.max_image_mb, dataset_card, raw_folder)
    for level in ("problem", "note"):
        kinds = check.loc[check["level"] == level, "check"].value_counts(sort=False)
        if len(kinds):
            said = ", ".join(f"{kind} ({number})" for kind, number in kinds.items())
            log = logger.warning if level == "problem" else logger.info
            log("%d %ss: %s.", int(kinds.sum()), level, said)
        else:
            logger.info("No %ss.", level)
    return check


def render_page(settings: CheckSettings, check: pd.DataFrame, dataset_card: DatasetCard) -> str:
    """The findings as one HTML page that needs nothing but a browser."""
    return render_check_page(settings, check, dataset_card)
