"""Kedro dataset of the facts about the current `kedro run`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from mnist_localization.tracking.run_context import kedro_command


@dataclass(frozen=True)
class Session:
    """Facts about a `kedro run`.

    Attributes:
        project: Root of the project.
        env: Kedro environment.
        pipelines: Names of the pipelines, separated by commas.
        runtime_params: Parameters given on the command line.
        data: Path or URL of the data folder.
        raw: Path or URL of the folder of the raw files.
    """

    project: Path = field(default_factory=Path.cwd)
    env: str = "local"
    pipelines: str = ""
    runtime_params: dict[str, Any] = field(default_factory=dict)
    data: str = "data"
    raw: str = "data/01_raw"

    def command(self) -> str:
        """Return the command of the run."""
        return kedro_command(self.pipelines, self.env, self.runtime_params)


class SessionDataset(AbstractDataset[None, Session]):
    """Facts about the current `kedro run`, which a hook attaches."""

    def __init__(self, *, metadata: dict[str, Any] | None = None) -> None:
        """Create the dataset.

        Args:
            metadata: Ignored by Kedro; read by plugins.
        """
        self._session = Session()
        self.metadata = metadata

    def attach(self, session: Session) -> None:
        """Set what `load` returns."""
        self._session = session

    def load(self) -> Session:
        """Return the facts."""
        return self._session

    def save(self, data: None) -> NoReturn:
        """Raise an error, because the facts cannot be the output of a node."""
        raise DatasetError(f"{self} can only be the input of a node, not an output")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {}
