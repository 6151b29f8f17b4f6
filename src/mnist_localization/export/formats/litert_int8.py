"""LiteRT with int8 arithmetic and float32 inputs and outputs."""

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mnist_localization.export.formats import ExportFormat, Images
from mnist_localization.export.formats.litert import convert, load

# These account for nearly all of the arithmetic. Everything else stays in float32, because int8
# coordinates would be limited to 256 positions across the image.
_QUANTIZED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D")


def write(localizer: Any, path: Path, samples: Images) -> None:
    """Write a LiteRT file with quantized convolutions and dense layers.

    The quantization ranges are those measured on the samples. Boxes are decoded in float32.

    Args:
        localizer: Keras model.
        path: File to write.
        samples: Training images, uint8 `[n, height, width, channels]`.

    Raises:
        ModelError: The model uses an operation that the LiteRT runtime does not support.
    """
    from mnist_localization import backend  # isort: skip
    from tensorflow import lite

    def representative_dataset() -> Iterator[list[Any]]:
        for image in samples:
            yield [image[None].astype(np.float32)]

    kept_in_float = sorted(_operations(convert(localizer)) - set(_QUANTIZED))
    with (
        tempfile.TemporaryDirectory() as folder,
        backend.quiet_libraries(),
        # The quantizer of TensorFlow uses an interpreter that is deprecated.
        warnings.catch_warnings(),
    ):
        # The quantizer warns about the interpreter that it uses itself.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter", UserWarning)
        localizer.export(folder, format="tf_saved_model", verbose=False)
        converter = lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [lite.Optimize.DEFAULT]
        converter.representative_dataset = representative_dataset
        # Despite its name, this is the only converter API that can exclude operations.
        quantizer = lite.experimental.QuantizationDebugger(
            converter=converter,
            debug_dataset=representative_dataset,
            debug_options=lite.experimental.QuantizationDebugOptions(denylisted_ops=kept_in_float),
        )
        path.write_bytes(quantizer.get_nondebug_quantized_model())


def _operations(content: bytes) -> set[str]:
    """Return the names of the operations in a LiteRT file."""
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


FORMAT = ExportFormat("localizer_int8.tflite", write, load)
