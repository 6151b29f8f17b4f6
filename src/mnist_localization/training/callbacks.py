"""Keras callbacks of a training."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras

from mnist_localization.config.train import EarlyStoppingSettings
from mnist_localization.errors import ModelError
from mnist_localization.training.checkpoint import Checkpoint, TrainingState

logger = logging.getLogger(__name__)

# Called with the epoch, from 1, its logs, and the localizer with the weights of that epoch.
EpochEnd = Callable[[int, Mapping[str, float], keras.Model], None]


class EpochRecorder(keras.callbacks.Callback):  # type: ignore[misc]
    """History row, checkpoint and early stopping at the end of each epoch.

    `EarlyStopping` and `BackupAndRestore` of Keras forget the best epoch and the patience when a
    training is resumed; this callback keeps both in the checkpoint.

    Args:
        state: State so far; each epoch is added to it.
        checkpoint: Checkpoint to write.
        settings: Section `train.early_stopping`.
    """

    def __init__(
        self, state: TrainingState, checkpoint: Checkpoint, settings: EarlyStoppingSettings
    ) -> None:
        super().__init__()
        self._state = state
        self._checkpoint = checkpoint
        self._settings = settings
        self._started = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the epoch, and stop the training if the patience is over.

        Raises:
            ModelError: The loss is not a finite number. The epoch is not recorded.
        """
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise ModelError(
                f"the training diverged: its loss is {loss} in epoch {epoch + 1}, so no model is "
                "saved; lower train.learning_rate, or raise train.batch_size"
            )
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in (logs or {}).items()}}
        row["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row["seconds"] = round(time.perf_counter() - self._started, 3)
        self._state.rows.append(row)
        is_best = self._is_best(row)
        if is_best:
            self._state.best_epoch = epoch + 1
            self._state.best_value = row[self._settings.monitor]
        self._checkpoint.write(self._state, self.model, is_best=is_best)
        if is_patience_over(self._state, self._settings):
            logger.info(
                "Early stopping after epoch %d: %s has not improved since epoch %d.",
                epoch + 1,
                self._settings.monitor,
                self._state.best_epoch,
            )
            self.model.stop_training = True

    def _is_best(self, row: Mapping[str, float]) -> bool:
        value, best = row[self._settings.monitor], self._state.best_value
        # NaN never compares as worse, so replace it unconditionally.
        if best is None or not math.isfinite(best):
            return True
        gain = value - best if self._settings.mode == "max" else best - value
        return gain > self._settings.min_delta


def is_patience_over(state: TrainingState, settings: EarlyStoppingSettings) -> bool:
    """Return whether a phase stops, given its epochs without improvement."""
    return 0 < settings.patience <= state.epochs - max(state.best_epoch, state.phase_start)


class EpochEndCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Call of a function at the end of each epoch.

    Args:
        function: Function to call.
        localizer: Model that is passed to the function.
    """

    def __init__(self, function: EpochEnd, localizer: keras.Model) -> None:
        super().__init__()
        self._function = function
        self._localizer = localizer

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Call the function."""
        self._function(epoch + 1, dict(logs or {}), self._localizer)


class EpochLogger(keras.callbacks.Callback):  # type: ignore[misc]
    """Log line at the end of each epoch, for outputs that are not a terminal.

    Args:
        epochs: Maximum number of epochs.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log the main metrics, on the validation split if there is one."""
        logs = logs or {}
        prefix = "val_" if "val_loss" in logs else ""
        logger.info(
            "Epoch %d/%d: %slabel_accuracy %.4f, %smean IoU %.4f, loss %.4f",
            epoch + 1,
            self._epochs,
            prefix,
            logs[f"{prefix}label_accuracy"],
            prefix,
            logs[f"{prefix}bbox_mean_iou"],
            logs["loss"],
        )
