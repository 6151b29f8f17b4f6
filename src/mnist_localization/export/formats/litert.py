"""LiteRT (once TensorFlow Lite): float32, and int8 inside with float inputs and outputs."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mnist_localization.errors import ModelError
from mnist_localization.export.parity import Images, Predictor

# What is worth int8: nearly all of the arithmetic. Coordinates are not, they would lie on 256
# steps across the image: everything that is not listed stays in floats.
_QUANTIZED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D")

_LONGEST_REASON = 300  # characters; the converter's own errors fill pages


def write(localizer: Any, path: Path, samples: Images) -> None:
    """Write a float32 file.

    Args:
        localizer: The Keras model.
        path: The file, ending in `.tflite`.
        samples: Not needed.

    Raises:
        ModelError: The model uses an operation that LiteRT's runtime has not.
    """
    path.write_bytes(_converted(localizer))


def write_int8(localizer: Any, path: Path, samples: Images) -> None:
    """Write a file that computes in int8 and takes and gives floats.

    Convolutions, dense layers and what lies between them are quantized; their ranges are
    those that they have on the samples. Boxes are decoded in floats.

    Args:
        localizer: The Keras model.
        path: The file, ending in `.tflite`.
        samples: Training images, uint8, `[n, height, width, channels]`.

    Raises:
        ModelError: The model uses an operation that LiteRT's runtime has not.
    """
    from mnist_localization import backend  # isort: skip
    from tensorflow import lite

    def representative() -> Iterator[list[Any]]:
        for image in samples:
            yield [image[None].astype(np.float32)]

    others = sorted(_operations(_converted(localizer)) - set(_QUANTIZED))
    with tempfile.TemporaryDirectory() as folder, backend.without_chatter(), _settled_warnings():
        localizer.export(folder, format="tf_saved_model", verbose=False)
        converter = lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        # The class is named for another use; it is the one that can leave operations out.
        quantizer = lite.experimental.QuantizationDebugger(
            converter=converter,
            debug_dataset=representative,
            debug_options=lite.experimental.QuantizationDebugOptions(denylisted_ops=others),
        )
        path.write_bytes(quantizer.get_nondebug_quantized_model())


def load(path: Path) -> Predictor:
    """A LiteRT file as a function.

    Raises:
        ModelError: LiteRT's runtime cannot run the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    from mnist_localization import backend

    try:
        with backend.without_chatter():
            interpreter = Interpreter(model_path=str(path))
            signature = interpreter.get_signature_runner("serving_default")
            ((name, details),) = signature.get_input_details().items()
            # The first call makes what runs the file, and says so.
            signature(**{name: np.zeros(details["shape"], np.float32)})
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: LiteRT cannot run this file ({error})") from error

    def predict(images: Images) -> Any:
        return signature(**{name: images.astype(np.float32)})

    return predict


def _converted(localizer: Any) -> bytes:
    from mnist_localization import backend  # isort: skip
    from tensorflow import lite

    with tempfile.TemporaryDirectory() as folder, backend.without_chatter():
        file = Path(folder) / "model.tflite"
        try:
            localizer.export(
                str(file),
                format="litert",
                verbose=False,
                # No operations of TensorFlow's: they would need its whole runtime.
                target_spec={"supported_ops": [lite.OpsSet.TFLITE_BUILTINS]},
            )
        except Exception as error:  # the converter's own class is not public
            reason = " ".join(str(error).split())[:_LONGEST_REASON]
            raise ModelError(f"{localizer.name!r} has no form in LiteRT: {reason}") from error
        return file.read_bytes()


def _operations(content: bytes) -> set[str]:
    """Names of the operations that a LiteRT file uses."""
    from ai_edge_litert import schema_py_generated as schema

    names = {
        code: name
        for name, code in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    model = schema.Model.GetRootAs(content)
    return {
        names[model.OperatorCodes(index).BuiltinCode()]
        for index in range(model.OperatorCodesLength())
    }


@contextmanager
def _settled_warnings() -> Iterator[None]:
    """TensorFlow's quantizer warns of the interpreter that it uses itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter", UserWarning)
        yield
