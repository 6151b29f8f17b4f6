"""Small localizers for tests, trained for a second on the squares of `small_stores`."""

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras

from mnist_localization.data.images import ImageStore
from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.provenance import Provenance
from support.small_stores import CLASS_SIDES, SIDE

REPORT = {"dropout": 0.0, "regression_units": [16], "rescale": True}


def trained_localizer(store: ImageStore, provenance: Provenance, epochs: int = 12):
    """The report's model in small: images of 40x40 pixels, two classes."""
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
