"""A tiny architecture for tests: one convolution, one dense layer per head."""

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras

from mnist_localization.config import Settings
from mnist_localization.config.train import (
    AugmentationSettings,
    EarlyStoppingSettings,
    LossWeights,
    TrainingDefaults,
)
from mnist_localization.models.architecture import (
    RAW_BOX,
    Architecture,
    ModelSpec,
    Network,
    image_input,
)
from mnist_localization.models.layers import ClipAndSnapBox


class TinySettings(Settings):
    """Section `train.architectures.tiny`."""

    units: int = 4


def build_tiny(settings: TinySettings, spec: ModelSpec) -> Network:
    """Build a network with few weights."""
    images, x = image_input(spec, scale=1 / 255)
    x = keras.layers.Conv2D(settings.units, 9, strides=9, activation="relu", name="conv")(x)
    x = keras.layers.Flatten(name="features")(x)
    label = keras.layers.Dense(spec.classes, activation="softmax", name="label")(x)
    bbox = keras.layers.Dense(4, activation="sigmoid", name=RAW_BOX)(x)
    ordered = ClipAndSnapBox(name="bbox")(bbox)
    return Network(
        trainable=keras.Model(images, {"label": label, "bbox": bbox}, name="tiny_training"),
        localizer=keras.Model(images, {"label": label, "bbox": ordered}, name="tiny"),
    )


ARCHITECTURE = Architecture(
    settings=TinySettings,
    build=build_tiny,
    training_defaults=TrainingDefaults(
        epochs=1,
        batch_size=16,
        learning_rate=0.01,
        weight_decay=0.0,
        schedule="constant",
        bbox_loss="mse",
        loss_weights=LossWeights(label=1.0, bbox=1.0),
        augmentation=AugmentationSettings(
            share=0.0, noise=0.0, brightness=0.0, contrast=0.0, clutter=False, scale=0.0
        ),
        early_stopping=EarlyStoppingSettings(
            monitor="val_loss", mode="min", patience=0, min_delta=0.0
        ),
    ),
)
