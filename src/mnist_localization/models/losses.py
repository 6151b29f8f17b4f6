"""Losses of the head `bbox`, selected by name. Corners are relative, `[batch, 4]`."""

from collections.abc import Callable

import keras

from mnist_localization.errors import ModelError

_LOSSES: dict[str, Callable[[], keras.losses.Loss]] = {
    "mse": lambda: keras.losses.MeanSquaredError(name="mse"),
    "huber": lambda: keras.losses.Huber(delta=0.01, name="huber"),
}


def bbox_loss(name: str) -> keras.losses.Loss:
    """The loss of the head `bbox` by its name.

    Raises:
        ModelError: The name is unknown.
    """
    if name not in _LOSSES:
        raise ModelError(f"train.bbox_loss is {name!r}, but the losses are {', '.join(_LOSSES)}")
    return _LOSSES[name]()
