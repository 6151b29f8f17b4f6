"""What a training calculates with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import keras
import tensorflow as tf

from mnist_localization.config import TrainSettings


@contextmanager
def hardware(settings: TrainSettings, devices: Sequence[str] | None = None) -> Iterator[None]:
    """Build and fit a network inside: with its precision, on one device or on several.

    Args:
        settings: The section `train`; `precision` and `multi_gpu` count here.
        devices: What a batch is shared among with `multi_gpu`; none takes all GPUs.
    """
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings.precision)
    strategy = tf.distribute.MirroredStrategy(devices) if settings.multi_gpu else None
    try:
        with strategy.scope() if strategy is not None else nullcontext():
            yield
    finally:
        keras.config.set_dtype_policy(kept)
