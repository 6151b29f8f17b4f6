"""Nodes of the stage `fetch`."""

from pathlib import Path

from mnist_localization.config import FetchSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.sources import fetch


def fetch_dataset(settings: FetchSettings, raw_folder: Path, project_folder: Path) -> DatasetCard:
    """Bring the raw files of the configured source to disk.

    Returns:
        The dataset card.
    """
    return fetch(settings, raw_folder, project_folder)
