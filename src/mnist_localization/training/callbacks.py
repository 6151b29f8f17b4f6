"""Keras callbacks of a training."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras

from mnist_localization.config import EarlyStoppingSettings
from mnist_localization.training.checkpoint import Checkpoint, TrainingState

logger = logging.getLogger(__name__)

EpochEnd = Callable[[int, Mapping[str, float], keras.Model], None]


class EpochRecorder(keras.callbacks.Callback):  # type: ignore[misc]
    """At the end of each epoch: one row of history, a checkpoint, and the decision to stop.

    Keras' own `EarlyStopping` and `BackupAndRestore` forget the best epoch and the patience
    when a training is resumed; this keeps both in the checkpoint.
    """

    def __init__(
        self, state: TrainingState, checkpoint: Checkpoint, settings: EarlyStoppingSettings
    ) -> None:
        """Go on from a state.

        Args:
            state: State so far; it grows with each epoch.
            checkpoint: Where it is recorded.
            settings: When to stop, and which epoch is the best.
        """
        super().__init__()
        self._state = state
        self._checkpoint = checkpoint
        self._settings = settings
        self._started = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the epoch, and stop where it is time to."""
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in (logs or {}).items()}}
        row["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row["seconds"] = round(time.perf_counter() - self._started, 3)
        self._state.rows.append(row)
        is_best = self._is_best(row)
        if is_best:
            self._state.best_epoch = epoch + 1
            self._state.best_value = row[self._settings.monitor]
        self._checkpoint.write(self._state, self.model, is_best=is_best)
        if self._patience_is_over():
            logger.info(
                "Early stopping after epoch %d: %s has not improved since epoch %d.",
                epoch + 1,
                self._settings.monitor,
                self._state.best_epoch,
            )
            self.model.stop_training = True

    def _is_best(self, row: Mapping[str, float]) -> bool:
        value, best = row[self._settings.monitor], self._state.best_value
        # A value that is no number compares with none: it would stay the best for ever.
        if best is None or not math.isfinite(best):
            return True
        gain = value - best if self._settings.mode == "max" else best - value
        return gain > self._settings.min_delta

    def _patience_is_over(self) -> bool:
        return patience_is_over(self._state, self._settings)


def patience_is_over(state: TrainingState, settings: EarlyStoppingSettings) -> bool:
    """Whether so many epochs of a phase have passed without improvement that it stops."""
    return 0 < settings.patience <= state.epochs - max(state.best_epoch, state.phase_start)


class EpochEndCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Calls a function with the epoch (from 1), its logs and the model."""

    def __init__(self, function: EpochEnd) -> None:
        """Keep the function.

        Args:
            function: Called at the end of each epoch.
        """
        super().__init__()
        self._function = function

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Call the function."""
        self._function(epoch + 1, dict(logs or {}), self.model)
