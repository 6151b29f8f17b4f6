"""The model of the report "Object Localization with Keras and W&B" (2020), to the letter."""

from typing import Annotated

import keras
from pydantic import Field

from mnist_localization.config import Settings
from mnist_localization.models.architecture import ModelSpec, Network, architecture
from mnist_localization.models.layers import ClipAndSnapBox, ImageInput


class Report2020Settings(Settings):
    """Settings of `report2020`.

    Attributes:
        dropout: Share of the pooled features dropped before the softmax, in [0, 1).
        regression_units: Units of each hidden layer of the head `bbox`.
        rescale: Whether pixels are scaled to 0..1; the report fed them as they are, 0..255.
    """

    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    regression_units: tuple[Annotated[int, Field(gt=0)], ...]
    rescale: bool


@architecture("report2020", Report2020Settings)
def build_report2020(settings: Report2020Settings, spec: ModelSpec) -> Network:
    """Three convolutions, global average pooling, and two heads of dense layers.

    Global average pooling throws the position away, which is why its boxes are poor: it is
    here as the report's model, not as a good one.
    """
    images = keras.Input(spec.shape, name="image")
    x = ImageInput(
        scale=1 / 255 if settings.rescale else 1.0, provenance=spec.provenance.to_json(), name="input"
    )(images)
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
    bbox = keras.layers.Dense(4, activation="sigmoid", dtype="float32", name="bbox_raw")(hidden)

    ordered = ClipAndSnapBox(dtype="float32", name="bbox")(bbox)
    return Network(
        trainable=keras.Model(images, {"label": label, "bbox": bbox}, name="report2020_training"),
        localizer=keras.Model(images, {"label": label, "bbox": ordered}, name="report2020"),
    )
