"""ONNX, where the extra `onnx` is installed."""

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mnist_localization.errors import ModelError
from mnist_localization.export.parity import Images, Predictor

_NEEDED = ("onnx", "onnxruntime", "tf2onnx")


def write(localizer: Any, path: Path, samples: Images) -> None:
    """Write an ONNX file.

    Args:
        localizer: The Keras model.
        path: The file to write.
        samples: Not needed.

    Raises:
        ModelError: The extra is not installed.
    """
    _check_installed()
    with warnings.catch_warnings():
        # Keras asks NumPy for a name that it no longer has, to help tf2onnx.
        warnings.filterwarnings("ignore", "In the future `np", FutureWarning)
        localizer.export(str(path), format="onnx", verbose=False)


def load(path: Path) -> Predictor:
    """An ONNX file as a function.

    Raises:
        ModelError: The extra is not installed.
    """
    _check_installed()
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]

    def predict(images: Images) -> Any:
        values = session.run(names, {image.name: images.astype(np.float32)})
        return dict(zip(names, values, strict=True))

    return predict


def _check_installed() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ModelError(
            f"export.formats names onnx, but {', '.join(missing)} is not installed; install the "
            "extra (`.venv/bin/pip install -e '.[onnx]'`), or take onnx out of export.formats"
        )
