"""TensorFlow's SavedModel."""

from pathlib import Path
from typing import Any

from mnist_localization.export.parity import Images, Predictor


def write(localizer: Any, path: Path, samples: Images) -> None:
    """Write a SavedModel with the signature `serving_default`.

    Args:
        localizer: The Keras model.
        path: The folder to make.
        samples: Not needed.
    """
    localizer.export(str(path), format="tf_saved_model", verbose=False)


def load(path: Path) -> Predictor:
    """The SavedModel in a folder, as a function."""
    from mnist_localization import backend  # noqa: F401  # isort: skip
    import tensorflow as tf

    # Held by the function below: a signature does not keep its variables alive.
    model = tf.saved_model.load(str(path))
    signature = model.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]

    def predict(images: Images) -> Any:
        assert model is not None  # noqa: S101
        return signature(**{name: tf.constant(images, tf.float32)})

    return predict
