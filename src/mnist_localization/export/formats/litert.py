"""LiteRT (formerly TensorFlow Lite) in float32."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mnist_localization.errors import ModelError
from mnist_localization.export.formats import ExportFormat, Images, Predictor

_MAX_REASON = 300  # characters, because the converter's messages span pages


def write(localizer: Any, path: Path, samples: Images) -> None:
    """Write a float32 LiteRT file.

    Args:
        localizer: Keras model.
        path: File to write.
        samples: Unused.

    Raises:
        ModelError: The model uses an operation that the LiteRT runtime does not support.
    """
    path.write_bytes(convert(localizer))


def convert(localizer: Any) -> bytes:
    """Return a Keras model as the content of a float32 LiteRT file.

    Raises:
        ModelError: The model uses an operation that the LiteRT runtime does not support.
    """
    from mnist_localization import backend  # isort: skip
    from tensorflow import lite

    with tempfile.TemporaryDirectory() as folder, backend.quiet_libraries():
        file = Path(folder) / "model.tflite"
        try:
            localizer.export(
                str(file),
                format="litert",
                verbose=False,
                # TensorFlow operations would require the whole TensorFlow runtime.
                target_spec={"supported_ops": [lite.OpsSet.TFLITE_BUILTINS]},
            )
        except Exception as error:  # the converter's exception class is private
            reason = " ".join(str(error).split())[:_MAX_REASON]
            raise ModelError(
                f"the model {localizer.name!r} cannot be converted to LiteRT: {reason}; remove the "
                "LiteRT formats from export.formats"
            ) from error
        return file.read_bytes()


def load(path: Path) -> Predictor:
    """Load a LiteRT file as a function.

    Raises:
        ModelError: The LiteRT runtime cannot run the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    from mnist_localization import backend

    try:
        with backend.quiet_libraries():
            interpreter = Interpreter(model_path=str(path))
            signature = interpreter.get_signature_runner("serving_default")
            ((name, details),) = signature.get_input_details().items()
            # The first call creates the delegate, which writes to stderr.
            signature(**{name: np.zeros(details["shape"], np.float32)})
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"{path}: LiteRT cannot run this file ({error}); export it again"
        ) from error

    def predict(images: Images) -> Any:
        return signature(**{name: images.astype(np.float32)})

    return predict


FORMAT = ExportFormat("localizer.tflite", write, load)
