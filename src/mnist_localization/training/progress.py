"""A line an epoch: what a log file that is no terminal shows of a training."""

import logging
from typing import Any

import keras

logger = logging.getLogger(__name__)


class EpochLines(keras.callbacks.Callback):  # type: ignore[misc]
    """Logs one line an epoch: validation scores where there are any."""

    def __init__(self, epochs: int) -> None:
        """Set the number of epochs.

        Args:
            epochs: Epochs at most.
        """
        super().__init__()
        self._epochs = epochs

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log the epoch's line."""
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
