"""ONNX, available if the extra `onnx` is installed."""

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mnist_localization.errors import ModelError
from mnist_localization.export.formats import ExportFormat, Images, Predictor

_REQUIRED = ("onnx", "onnxruntime", "tf2onnx")


def write(localizer: Any, path: Path, samples: Images) -> None:
    """Write an ONNX file.

    Args:
        localizer: Keras model.
        path: File to write.
        samples: Unused.

    Raises:
        ModelError: The extra is not installed.
    """
    _require_extra()
    # Keras accesses a removed NumPy alias to support tf2onnx.
    with warnings.catch_warnings():
        # Keras looks up a name that NumPy has removed, for tf2onnx.
        warnings.filterwarnings("ignore", "In the future `np", FutureWarning)
        localizer.export(str(path), format="onnx", verbose=False)


def load(path: Path) -> Predictor:
    """Load an ONNX file as a function.

    Raises:
        ModelError: The extra is not installed.
    """
    _require_extra()
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]

    def predict(images: Images) -> Any:
        values = session.run(names, {image.name: images.astype(np.float32)})
        return dict(zip(names, values, strict=True))

    return predict


def _require_extra() -> None:
    missing = [name for name in _REQUIRED if find_spec(name) is None]
    if missing:
        raise ModelError(
            f"export.formats contains onnx, but {', '.join(missing)} is not installed; install the "
            "extra (`.venv/bin/pip install -e '.[onnx]'`), or remove onnx from export.formats"
        )


FORMAT = ExportFormat("localizer.onnx", write, load)
