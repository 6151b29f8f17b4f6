"""The model of the report "Object Localization with Keras and W&B" (2020)."""

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras

from mnist_localization.config import PositiveInt, Settings, Share
from mnist_localization.config.train import (
    PRESETS,
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


class Report2020Settings(Settings):
    """Section `train.architectures.report2020`."""

    dropout: Share
    regression_units: tuple[PositiveInt, ...]
    rescale: bool


def build_report2020(settings: Report2020Settings, spec: ModelSpec) -> Network:
    """Build three convolutions, global average pooling and two heads of dense layers.

    Global average pooling discards positions, which limits the boxes of this model. It is kept as
    the baseline that the report describes.
    """
    images, x = image_input(spec, scale=1 / 255 if settings.rescale else 1.0)
    x = keras.layers.Conv2D(32, 3, activation="relu", name="conv_1")(x)
    x = keras.layers.MaxPooling2D(3, name="pool_1")(x)
    x = keras.layers.Conv2D(32, 3, activation="relu", name="conv_2")(x)
    x = keras.layers.MaxPooling2D(3, name="pool_2")(x)
    x = keras.layers.Conv2D(64, 3, activation="relu", name="conv_3")(x)
    features = keras.layers.GlobalAveragePooling2D(name="features")(x)

    label = keras.layers.Dropout(settings.dropout, name="label_dropout")(features)
    label = keras.layers.Dense(spec.classes, activation="softmax", dtype="float32", name="label")(
        label
    )

    hidden = features
    for number, units in enumerate(settings.regression_units, start=1):
        hidden = keras.layers.Dense(units, activation="relu", name=f"bbox_hidden_{number}")(hidden)
    bbox = keras.layers.Dense(4, activation="sigmoid", dtype="float32", name=RAW_BOX)(hidden)

    ordered = ClipAndSnapBox(dtype="float32", name="bbox")(bbox)
    return Network(
        trainable=keras.Model(images, {"label": label, "bbox": bbox}, name="report2020_training"),
        localizer=keras.Model(images, {"label": label, "bbox": ordered}, name="report2020"),
    )


ARCHITECTURE = Architecture(
    settings=Report2020Settings,
    build=build_report2020,
    # The values of the report's notebook, which augments nothing.
    training_defaults=TrainingDefaults(
        epochs=100,
        batch_size=32,
        learning_rate=0.001,
        weight_decay=0.0,
        schedule="constant",
        bbox_loss="mse",
        loss_weights=LossWeights(label=1.0, bbox=1.0),
        augmentation=PRESETS["none"],
        early_stopping=EarlyStoppingSettings(
            monitor="val_loss", mode="min", patience=10, min_delta=0.0
        ),
    ),
)
