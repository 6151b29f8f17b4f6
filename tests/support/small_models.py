"""Small models and training settings for tests, for the images of `small_stores`."""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras

from mnist_localization.config.train import ResolvedTrainSettings
from mnist_localization.data.images.store import ImageStore
from mnist_localization.models.architecture import ModelSpec, build_network, resolve_settings
from mnist_localization.models.provenance import Provenance
from support.settings import section
from support.small_stores import CLASS_SIDES, SIDE

REPORT = {"dropout": 0.0, "regression_units": [16], "rescale": True}

_SMALL_TRAINING: dict[str, Any] = {
    "architecture": "report2020",
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "bbox_loss": "mse",
    "loss_weights": {"label": 1.0, "bbox": 1.0},
    "augmentation": {"share": 0.5, "brightness": 0.2, "contrast": 0.5},
}
_SMALL_ARCHITECTURES: dict[str, Any] = {
    "report2020": {"dropout": 0.3, "regression_units": [8], "rescale": True},
    "glimpse": {
        "stem_filters": 4,
        "stride": 4,
        "coarse_filters": 4,
        "glimpse_size": 16,
        "glimpse_margin": 1.2,
        "glimpse_jitter": 0.1,
        "glimpse_tilt": 0.1,
        "fine_filters": [4, 4],
        "label_units": 8,
        "bbox_units": 4,
        "dropout": 0.2,
        "view_shift": 0.05,
        "size_tolerance": 0.1,
        "center_tolerance": 0.1,
        "coarse_loss_weight": 0.2,
        "guess_loss_weight": 0.1,
        "snap": True,
    },
}


def train_settings(**changes: Any) -> ResolvedTrainSettings:
    """Return the section `train` for small and fast models, with changes."""
    architectures = _SMALL_ARCHITECTURES | changes.pop("architectures", {})
    given = {**_SMALL_TRAINING, "architectures": architectures, **changes}
    return resolve_settings(section("train", **given), 54_000)


def trained_localizer(store: ImageStore, provenance: Provenance, epochs: int = 12) -> keras.Model:
    """Train a small version of the report's model for images of 40x40 pixels and two classes."""
    keras.utils.set_random_seed(1)
    spec = ModelSpec(SIDE, SIDE, 1, len(CLASS_SIDES), False, provenance)
    network = build_network("report2020", REPORT, spec)
    losses = {"label": "sparse_categorical_crossentropy", "bbox": "mse"}
    weights = {"label": 1.0, "bbox": 20.0}
    network.trainable.compile(keras.optimizers.Adam(0.003), losses, loss_weights=weights)
    targets = {"label": store.labels, "bbox": store.input_boxes}
    images = store.read(range(len(store)))
    network.trainable.fit(images, targets, batch_size=32, epochs=epochs, verbose=0)
    return network.localizer
