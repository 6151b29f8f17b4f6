"""Huber loss of the corners (Huber, 1964)."""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras

from mnist_localization.models.architecture import ModelSpec


@keras.saving.register_keras_serializable(package="mnist_localization")
class HuberBoxLoss(keras.losses.Huber):
    """Huber loss of Keras, which does not serialize its `delta`.

    Args:
        delta: Error relative to the image side.
        name: Name of the loss.
        **kwargs: Arguments of `keras.losses.Huber`.
    """

    def __init__(self, delta: float = 0.01, name: str = "huber", **kwargs: Any) -> None:
        super().__init__(delta=delta, name=name, **kwargs)
        self._delta = delta

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal loss."""
        return {**super().get_config(), "delta": self._delta}


def create_loss(_spec: ModelSpec) -> keras.losses.Loss:
    """Create the loss."""
    return HuberBoxLoss()


LOSS = create_loss
