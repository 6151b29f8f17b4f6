"""JSON text with the layers and the weights of the Keras model."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mnist_localization.export.formats import ExportFormat, Images, Predictor


def write(localizer: Any, path: Path, samples: Images) -> None:
    """Write the configuration and the weights of a model as one JSON document.

    Args:
        localizer: Keras model.
        path: File to write.
        samples: Not used.
    """
    weights = [weight.tolist() for weight in localizer.get_weights()]
    path.write_text(json.dumps({"model": localizer.to_json(), "weights": weights}), "utf-8")


def load(path: Path) -> Predictor:
    """Load a written document as a function."""
    from mnist_localization import backend  # noqa: F401  # isort: skip
    import keras

    document = json.loads(path.read_text("utf-8"))
    model = keras.models.model_from_json(document["model"])
    model.set_weights([np.array(weight, np.float32) for weight in document["weights"]])

    def predict(images: Images) -> Any:
        return model.predict_on_batch(images)

    return predict


FORMAT = ExportFormat("localizer.json", write, load)
