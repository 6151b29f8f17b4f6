"""Kept runs for tests of stages that load a model."""

from pathlib import Path
from typing import Any

from mnist_localization.folder import Folder
from mnist_localization.models.runs import Runs


def runs_with(latest: Any, folder: Path = Path("no-runs")) -> Runs:
    """Return runs of which only the latest model exists; the folder may name the best run."""
    return Runs(Folder(folder), Path(), lambda: latest)
