"""Kept runs: for each training a folder with its model, its history and its facts."""

import logging
import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd
from pydantic import BaseModel, ValidationError

from mnist_localization.errors import ModelError
from mnist_localization.files import atomic_path
from mnist_localization.folder import Folder
from mnist_localization.models.provenance import Provenance
from mnist_localization.storage import Store, is_stored

logger = logging.getLogger(__name__)
T = TypeVar("T", bound=BaseModel)

LATEST = "latest"
BEST = "best"
MODEL_FILE = "localizer.keras"
HISTORY_FILE = "training_history.parquet"
_FACTS_FILE = "run.json"
_LATEST_FILE = "latest.json"
_BEST_FILE = "best.json"
_LISTED = 10
_REMEDIES = {
    LATEST: "train a model with `kedro run --pipelines=train`",
    BEST: "promote a run with `kedro runs promote NAME`",
}


class RunFacts(BaseModel, frozen=True):
    """Facts about a training; the file `run.json` in the folder of the run.

    Attributes:
        run: Name of the run, see `run_name`.
        trained_at: Time at which the training ended, ISO 8601.
        epochs: Number of epochs.
        model_fingerprint: SHA-256 of the weights of the model.
        training: Facts about the training that the model carries, with the fingerprints of the
            splits.
        parameters: All parameters of the `kedro run`, without secrets.
        command: Command that repeats the run.
        git_commit: Commit of the checkout; empty if it is unknown.
        git_dirty: Whether tracked files had been changed.
    """

    run: str
    trained_at: str
    epochs: int
    model_fingerprint: str
    training: Provenance
    parameters: dict[str, Any] = {}
    command: str = ""
    git_commit: str = ""
    git_dirty: bool = False


class NewRun(NamedTuple):
    """A training to keep.

    Attributes:
        facts: Facts about the training.
        localizer: The trained Keras model.
        history: One row per epoch.
    """

    facts: RunFacts
    localizer: Any
    history: pd.DataFrame


class Promotion(BaseModel, frozen=True):
    """The best run; the file `best.json`.

    Attributes:
        run: Name of the run, or an empty string.
        previous: Runs that were the best before, the last one at the end.
    """

    run: str = ""
    previous: tuple[str, ...] = ()


class Latest(BaseModel, frozen=True):
    """The run of the last training; the file `latest.json`."""

    run: str = ""


class Runs:
    """Kept runs of a data folder.

    A reference is the name of a run or its first or last characters, `latest` (the model of the
    last training), `best` (the promoted run), or the path or URL of a `.keras` file.
    """

    def __init__(self, folder: Folder, project: Path, load_latest: Callable[[], Any]) -> None:
        """Set the folder, which need not exist.

        Args:
            folder: Parent of the folders of all runs.
            project: Folder that relative paths start at.
            load_latest: Returns the model of the last training.
        """
        self._folder, self._project, self._load_latest = folder, project, load_latest

    def keep(self, new: NewRun) -> None:
        """Keep a training, unless an equal one is kept already, and make it the latest."""
        name = new.facts.run
        if name not in self.names():
            with atomic_path(self._folder.path / name) as temporary:
                temporary.mkdir()
                new.localizer.save(temporary / MODEL_FILE)
                new.history.to_parquet(temporary / HISTORY_FILE, index=False)
                (temporary / _FACTS_FILE).write_text(new.facts.model_dump_json(indent=2), "utf-8")
            (self._folder / name).push()
        self._write(_LATEST_FILE, Latest(run=name))

    def names(self) -> list[str]:
        """Return the names of all runs, in alphabetical order."""
        return self._folder.names()

    def all_facts(self) -> list[RunFacts]:
        """Return the facts of all runs in the order of their trainings, except damaged ones."""
        found = []
        for name in self.names():
            try:
                found.append(self.facts(name))
            except ModelError as error:
                logger.warning("%s", error)
        return sorted(found, key=lambda facts: (facts.trained_at, facts.run))

    def facts(self, reference: str) -> RunFacts:
        """Return the facts of a run.

        Raises:
            ModelError: There is no such run, or its facts are damaged.
        """
        path = self._path(reference) / _FACTS_FILE
        try:
            return RunFacts.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ModelError(
                f"{path}: missing or damaged; remove the folder of the run ({type(error).__name__})"
            ) from error

    def load(self, reference: str) -> Any:
        """Load the Keras model of a run, in safe mode.

        Raises:
            ModelError: There is no such run or file, or its model cannot be loaded.
        """
        if reference == LATEST:
            return self._load_latest()
        if _is_path(reference):
            return _load_file(reference, self._project)
        return _load_file(str(self._path(reference) / MODEL_FILE), self._project)

    def history(self, reference: str) -> pd.DataFrame:
        """Return the history of a run; no rows for the path of a model, whose history is unknown.

        Raises:
            ModelError: There is no such run.
        """
        if _is_path(reference):
            return pd.DataFrame({"epoch": []})
        return pd.read_parquet(self._path(reference) / HISTORY_FILE)

    def find(self, reference: str) -> str:
        """Return the name of the run that a reference means.

        Raises:
            ModelError: No run matches the reference, or several do.
        """
        names = self.names()
        if reference in (LATEST, BEST):
            name = self.latest() if reference == LATEST else self.promotion().run
            if name not in names:
                raise ModelError(f"there is no {reference} run; {_REMEDIES[reference]}")
            return name
        matching = (
            [name for name in names if name == reference]
            or [name for name in names if name.startswith(reference)]
            or [name for name in names if name.endswith(reference)]
        )
        if not reference or len(matching) != 1:
            listed = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
            raise ModelError(
                f"{reference!r} matches {len(matching)} runs, but must match one; kept are: "
                f"{listed or 'none'} (`kedro runs list`)"
            )
        return matching[0]

    def latest(self) -> str:
        """Return the name of the run of the last training, or an empty string."""
        return self._read(_LATEST_FILE, Latest).run

    def promotion(self) -> Promotion:
        """Return which run is the best, and which were before."""
        return self._read(_BEST_FILE, Promotion)

    def promote(self, reference: str) -> str:
        """Make a run the best, remember the one before, and return the name of the run."""
        name, old = self.find(reference), self.promotion()
        if name != old.run:
            previous = (*old.previous, old.run) if old.run else old.previous
            self._write(_BEST_FILE, Promotion(run=name, previous=previous))
        return name

    def roll_back(self) -> str:
        """Make the previous best run the best again, and return its name.

        Raises:
            ModelError: No kept run was the best before.
        """
        kept = self.names()
        previous = [name for name in self.promotion().previous if name in kept]
        if not previous:
            raise ModelError("no kept run was the best before; promote one with its name")
        self._write(_BEST_FILE, Promotion(run=previous[-1], previous=tuple(previous[:-1])))
        return previous[-1]

    def protected(self) -> set[str]:
        """Return the runs that must not be removed: the latest and the best."""
        return {self.latest(), self.promotion().run}

    def remove(self, name: str) -> None:
        """Remove a run, unless it is protected."""
        if name in self.protected():
            raise ModelError(f"{name} is the latest or the best run, which is never removed")
        (self._folder / name).remove()

    def size(self, name: str) -> int:
        """Return the bytes of the files of a run."""
        files = self._path(name).rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file())

    def _path(self, reference: str) -> Path:
        return (self._folder / self.find(reference)).pull()

    def _read(self, name: str, kind: type[T]) -> T:
        content = self._folder.read(name)
        try:
            return kind.model_validate_json(content) if content else kind()
        except ValidationError as error:
            raise ModelError(
                f"{self._folder.shown}/{name} is damaged; remove it, and promote a run again"
            ) from error

    def _write(self, name: str, value: BaseModel) -> None:
        self._folder.write(name, value.model_dump_json(indent=2))


def runs_below(data: str | os.PathLike[str]) -> Runs:
    """Return the runs of a data folder or URL, for use outside of a Kedro project."""
    place = f"{os.fspath(data).rstrip('/')}/06_models"
    folder = Folder.at(f"{place}/runs", Path(tempfile.gettempdir()) / "mnist-localization")
    latest = f"{place}/{MODEL_FILE}"
    return Runs(folder, Path(), lambda: _load_file(latest, Path()))


def _load_file(reference: str, project: Path) -> Any:
    """Load the Keras model of a path or URL."""
    from mnist_localization.models.saving import load_localizer

    if not is_stored(reference):
        return load_localizer(project / Path(reference).expanduser())
    parent, _, name = reference.rpartition("/")
    with tempfile.TemporaryDirectory() as folder:
        Store(parent).get(name, Path(folder) / MODEL_FILE)
        return load_localizer(Path(folder) / MODEL_FILE)


def now() -> str:
    """Return the time as ISO 8601 in UTC, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _is_path(reference: str) -> bool:
    return "/" in reference or "\\" in reference or reference.endswith(".keras")
