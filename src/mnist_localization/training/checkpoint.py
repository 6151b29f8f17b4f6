"""Checkpoint of a training, from which a killed training resumes."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras

from mnist_localization.files import atomic_path, remove, restore_folder

_STATE = "state.json"
_LAST = "last.weights.h5"
_BEST = "best.weights.h5"


@dataclass
class TrainingState:
    """State of a training besides its weights.

    Attributes:
        rows: Logs of each finished epoch.
        best_epoch: Number of the best epoch, from 1; 0 before the first.
        best_value: Value of the monitored metric in the best epoch.
        phase: Index of the phase, from 0.
        phase_start: Number of epochs finished before the phase.
        random_states: States of the random generators of the model (dropout), which Keras does
            not save with the weights.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float | None = None
    phase: int = 0
    phase_start: int = 0
    random_states: list[list[int]] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """Return the number of finished epochs."""
        return len(self.rows)


class Checkpoint:
    """Folder with the state, the last weights with the optimizer, and the best weights.

    The folder is replaced atomically at the end of each epoch, so that a kill at any time leaves
    the checkpoint of the epoch before.

    Args:
        folder: Folder of this training alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, state: TrainingState, model: keras.Model, *, is_best: bool) -> None:
        """Save the end of an epoch.

        Args:
            state: State that includes the epoch; its random states are updated.
            model: Compiled model.
            is_best: Whether the epoch is the best so far.
        """
        state.random_states = [variable.numpy().tolist() for variable in _random_variables(model)]
        with atomic_path(self._folder) as temporary:
            temporary.mkdir()
            model.save_weights(temporary / _LAST)
            best = temporary / _LAST if is_best else self._folder / _BEST
            shutil.copyfile(best, temporary / _BEST)
            (temporary / _STATE).write_text(json.dumps(asdict(state)), "utf-8")

    def read(self) -> TrainingState | None:
        """Return the saved state, or `None` if there is no complete checkpoint."""
        restore_folder(self._folder)
        try:
            return TrainingState(**json.loads((self._folder / _STATE).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def restore_last(self, model: keras.Model, state: TrainingState) -> None:
        """Load weights, optimizer and random generators of the last epoch into a model."""
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self._folder / _LAST)
        for variable, value in zip(_random_variables(model), state.random_states, strict=True):
            variable.assign(value)

    def restore_best(self, model: keras.Model) -> None:
        """Load the weights of the best epoch into a model."""
        model.load_weights(self._folder / _BEST)

    def remove(self) -> None:
        """Remove the folder."""
        remove(self._folder)


def _random_variables(model: keras.Model) -> list[keras.Variable]:
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]
