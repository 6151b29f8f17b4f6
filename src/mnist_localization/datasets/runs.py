"""Kedro dataset of the kept runs."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from mnist_localization.datasets.folders import stored_folder
from mnist_localization.models.runs import NewRun, Runs


class RunsDataset(AbstractDataset[NewRun, Runs]):
    """Kept runs: saving adds a run, loading gives access to all of them."""

    def __init__(
        self,
        *,
        path: str,
        latest: dict[str, str],
        project: dict[str, str],
        copies: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Set the folders; nothing is read.

        Args:
            path: Local folder or URL of the runs; relative paths start at the project.
            latest: `filepath` of the model of the last training.
            project: `path` of the folder that relative paths in references start at.
            copies: `path` of the folder of the local copies of URLs.
            metadata: Ignored by Kedro; read by plugins.
        """
        self._folder = stored_folder(path, copies)
        self._latest = latest["filepath"]
        self._runs = Runs(self._folder, Path(project["path"]), self._load_latest)
        self.metadata = metadata

    def load(self) -> Runs:
        """Return the runs; there may be none."""
        return self._runs

    def save(self, data: NewRun) -> None:
        """Keep a run, and make it the latest."""
        self._runs.keep(data)

    def _load_latest(self) -> Any:
        from mnist_localization.datasets.localizer import LocalizerDataset

        return LocalizerDataset(filepath=self._latest, load_args={"compile": False}).load()

    def _exists(self) -> bool:
        return bool(self._runs.names())

    def _describe(self) -> dict[str, Any]:
        return {"path": self._folder.shown, "latest": self._latest}
