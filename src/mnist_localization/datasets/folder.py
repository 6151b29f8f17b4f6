"""A folder as a dataset: stages whose I/O is many files get its path from the catalog."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class FolderDataset(AbstractDataset[None, Path]):
    """Loads as the path of a local folder, made when it does not exist."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the folder.

        Args:
            path: Local folder; relative paths start at the project.
            metadata: Ignored by Kedro; read by plugins.
        """
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> Path:
        """The folder's path."""
        self._path.mkdir(parents=True, exist_ok=True)
        return self._path

    def save(self, data: None) -> NoReturn:
        """Refused: a folder is an input."""
        raise DatasetError(f"{self}: a folder is an input; a node cannot give it as an output")

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path.as_posix()}
