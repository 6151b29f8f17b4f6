"""Nodes of the stage `fetch`."""

from pathlib import Path
from typing import Any

from mnist_localization.config import FetchSettings
from mnist_localization.data.sources import fetch


def fetch_dataset(
    settings: FetchSettings, raw_folder: Path, project_folder: Path
) -> dict[str, Any]:
    """Bring the raw files of the configured source to disk.

    Returns:
        The dataset card.
    """
    return fetch(settings, raw_folder, project_folder)
