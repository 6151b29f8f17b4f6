"""A tiny architecture for tests, with default settings and both optional outputs.

Tests copy this file into the registry folder of a copy of the package.
"""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
from keras import ops

from mnist_localization.config import Settings
from mnist_localization.config.train import (
    PRESETS,
    EarlyStoppingSettings,
    LossWeights,
    TrainingDefaults,
)
from mnist_localization.models.architecture import (
    BBOX,
    BBOX_CONFIDENCE,
    LABEL,
    PRESENCE,
    RANDOM_KEY,
    RAW_BOX,
    Architecture,
    ExtraOutput,
    ModelSpec,
    Network,
    image_input,
    random_key_input,
)
from mnist_localization.models.layers import ClipAndSnapBox, keyed_uniform
from mnist_localization.models.metrics import paired_iou


class TinySettings(Settings):
    """Section `train.architectures.tiny`, which may be missing."""

    units: int = 8


@keras.saving.register_keras_serializable(package="tiny")
class KeyedNoise(keras.layers.Layer):
    """Noise on features, in training only."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the features."""
        features, key = inputs
        noise = keyed_uniform(key, features.shape[-1], 0.01, stream=0)
        return features + noise if training else features


@keras.saving.register_keras_serializable(package="tiny")
class Halved(keras.layers.Layer):
    """Features times one half: an object that only this file registers."""

    def call(self, features: Any) -> Any:
        """Return the features."""
        return features * 0.5


class ConfidenceLoss(keras.losses.Loss):
    """Squared difference of the confidence and the IoU that the box next to it has."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image."""
        return ops.square(y_pred[:, 0] - paired_iou(y_true, y_pred[:, 1:]))


def build_tiny(settings: TinySettings, spec: ModelSpec) -> Network:
    """Build heads on strongly pooled pixels."""
    images, pixels = image_input(spec, scale=1 / 255)
    key = random_key_input()
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(5)(pixels))
    x = Halved()(keras.layers.Dense(settings.units, activation="relu")(x))
    heads = {
        LABEL: keras.layers.Dense(spec.classes, activation="softmax", name=LABEL),
        BBOX: keras.layers.Dense(4, activation="sigmoid", name=RAW_BOX),
        PRESENCE: keras.layers.Dense(1, activation="sigmoid", name=PRESENCE),
        BBOX_CONFIDENCE: keras.layers.Dense(1, activation="sigmoid", name=BBOX_CONFIDENCE),
    }
    saved = {name: head(x) for name, head in heads.items()}
    noisy = KeyedNoise()([x, key])
    trained = {name: head(noisy) for name, head in heads.items()}
    saved[BBOX] = ClipAndSnapBox(name=BBOX)(saved[BBOX])
    trained[BBOX_CONFIDENCE] = keras.layers.Concatenate()([trained[BBOX_CONFIDENCE], trained[BBOX]])
    return Network(
        trainable=keras.Model({"image": images, RANDOM_KEY: key}, trained),
        localizer=keras.Model(images, saved, name="tiny"),
        extra_outputs={
            PRESENCE: ExtraOutput(
                keras.losses.BinaryCrossentropy(),
                target=lambda targets: ops.ones_like(targets[BBOX][:, :1]),
            ),
            BBOX_CONFIDENCE: ExtraOutput(
                ConfidenceLoss(), target=lambda targets: targets[BBOX], loss_weight=0.1
            ),
        },
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
        bbox_loss="giou",
        loss_weights=LossWeights(label=1.0, bbox=1.0),
        augmentation=PRESETS["none"],
        early_stopping=EarlyStoppingSettings(
            monitor="val_loss", mode="min", patience=0, min_delta=0.0
        ),
    ),
)
