"""Keras callback that times training steps without the start and end of `fit`."""

import time
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras


class Stopwatch(keras.callbacks.Callback):  # type: ignore[misc]
    """Callback that measures the training speed after a warm-up."""

    def __init__(self, warm_up: int) -> None:
        """Set the length of the warm-up.

        Args:
            warm_up: Batches that are not timed. At least one, because the first builds the graph.
        """
        super().__init__()
        self._warm_up = max(1, warm_up)
        self._first: int | None = None
        self._last = 0
        self._started = self._stopped = 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Start or read the clock; Keras may call this once for several batches."""
        self._last, self._stopped = batch, time.perf_counter()
        if self._first is None and batch + 1 >= self._warm_up:
            self._first, self._started = batch, self._stopped

    @property
    def batches_per_second(self) -> float:
        """Return the training speed after the warm-up."""
        return (self._last - (self._first or 0)) / (self._stopped - self._started)
