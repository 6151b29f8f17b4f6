"""The W&B run of this `kedro run` as a dataset."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from mnist_localization.tracking import Tracker, current_tracker


class TrackerDataset(AbstractDataset[None, Tracker]):
    """Loads as the tracker of this process; outside a `kedro run` it records nothing."""

    # A run lives in one process: Kedro's ParallelRunner says so instead of losing rows.
    _SINGLE_PROCESS = True

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the folder.

        Args:
            path: Local folder of all that W&B writes; relative paths start at the project.
            metadata: Ignored by Kedro; read by plugins.
        """
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> Tracker:
        """The tracker of this process."""
        return current_tracker(self._path)

    def save(self, data: None) -> NoReturn:
        """Refused: a run is logged to, not saved."""
        raise DatasetError(f"{self}: a run is logged to by the stages; no node can save it")

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path.as_posix()}
