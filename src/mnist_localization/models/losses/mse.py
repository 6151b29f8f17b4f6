"""Mean squared error of the corners."""

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras

from mnist_localization.models.architecture import ModelSpec


def create_loss(_spec: ModelSpec) -> keras.losses.Loss:
    """Create the loss of Keras."""
    return keras.losses.MeanSquaredError(name="mse")


LOSS = create_loss
