"""The state of a training on disk: what a killed one goes on from."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import keras

_STATE = "state.json"
_LAST = "last.weights.h5"
_BEST = "best.weights.h5"


@dataclass
class TrainingState:
    """What a training knows of itself beside its weights.

    Attributes:
        rows: One row of logs for each finished epoch.
        best_epoch: Number of the best epoch, from 1; 0 before the first.
        best_value: Value of the monitored metric in it.
        phase: Number of the phase, from 0.
        phase_start: Epochs finished before it.
        random_states: States of the model's random generators (dropout, noise), which Keras
            does not count among the weights.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float | None = None
    phase: int = 0
    phase_start: int = 0
    random_states: list[list[int]] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.rows)


class Checkpoint:
    """One folder with the state, the last weights (and the optimizer's) and the best ones.

    A folder is written anew for each epoch and renamed when it is whole, so that a kill at
    any moment leaves the epoch before.
    """

    def __init__(self, folder: Path) -> None:
        """Name the folder.

        Args:
            folder: Folder of this training alone.
        """
        self._folder = folder

    def write(self, state: TrainingState, model: keras.Model, *, is_best: bool) -> None:
        """Record the end of an epoch.

        Args:
            state: State with that epoch in it.
            model: Compiled model; its optimizer's state is saved with the weights.
            is_best: Whether its weights are the best so far.
        """
        beside = self._folder.with_name(f".{self._folder.name}.part")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        model.save_weights(beside / _LAST)
        state.random_states = [variable.numpy().tolist() for variable in _random_variables(model)]
        best = beside / _LAST if is_best else self._folder / _BEST
        if best.exists():
            shutil.copyfile(best, beside / _BEST)
        (beside / _STATE).write_text(json.dumps(asdict(state)), "utf-8")
        old = self._folder.with_name(f".{self._folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self._folder.exists():
            self._folder.replace(old)
        beside.replace(self._folder)
        shutil.rmtree(old, ignore_errors=True)

    def read(self) -> TrainingState | None:
        """The recorded state; none when there is nothing to go on from."""
        old = self._folder.with_name(f".{self._folder.name}.old")
        if not self._folder.exists() and old.exists():
            old.replace(self._folder)  # killed between the two renames of `write`
        try:
            recorded: dict[str, Any] = json.loads((self._folder / _STATE).read_text("utf-8"))
            return TrainingState(**recorded)
        except (OSError, ValueError, TypeError):
            return None

    def restore_last(self, model: keras.Model, state: TrainingState) -> Self:
        """Give the model its weights, optimizer and random generators of the last epoch."""
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self._folder / _LAST)
        for variable, value in zip(_random_variables(model), state.random_states, strict=True):
            variable.assign(value)
        return self

    def restore_best(self, model: keras.Model) -> Self:
        """Give the model the weights of the best epoch."""
        model.load_weights(self._folder / _BEST)
        return self

    def remove(self) -> None:
        """Forget the training."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _random_variables(model: keras.Model) -> list[keras.Variable]:
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]
