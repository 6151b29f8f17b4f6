"""TensorFlow SavedModel."""

from pathlib import Path
from typing import Any

from mnist_localization.export.formats import ExportFormat, Images, Predictor


def write(localizer: Any, path: Path, samples: Images) -> None:
    """Write a SavedModel with the signature `serving_default`.

    Args:
        localizer: Keras model.
        path: Folder to create.
        samples: Unused.
    """
    localizer.export(str(path), format="tf_saved_model", verbose=False)


def load(path: Path) -> Predictor:
    """Load a SavedModel as a function."""
    from mnist_localization import backend  # noqa: F401  # isort: skip
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    signature = model.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]

    def predict(images: Images) -> Any:
        # The closure refers to `model` because a signature does not keep its variables alive.
        assert model is not None  # noqa: S101
        return signature(**{name: tf.constant(images, tf.float32)})

    return predict


FORMAT = ExportFormat("saved_model", write, load)
