"""The formats by name: how a file is written, and how it is run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_localization.export.formats import litert, onnx, saved_model
from mnist_localization.export.parity import Images, Predictor


@dataclass(frozen=True)
class ExportFormat:
    """A format that the localizer is exported to.

    Every file takes the pixels of images as they are, 0..255, as float32
    `[batch, height, width, channels]`, and gives `label` `[batch, classes]` and `bbox`
    `[batch, 4]`, relative corners, decoded and snapped as in the Keras model.

    Attributes:
        file_name: Of the file, or folder.
        write: Writes a Keras model to a path; the last argument are training images.
        load: A written file as a function from images to `label` and `bbox`.
    """

    file_name: str
    write: Callable[[Any, Path, Images], None]
    load: Callable[[Path], Predictor]


FORMATS = {
    "saved_model": ExportFormat("saved_model", saved_model.write, saved_model.load),
    "litert": ExportFormat("localizer.tflite", litert.write, litert.load),
    "litert_int8": ExportFormat("localizer_int8.tflite", litert.write_int8, litert.load),
    "onnx": ExportFormat("localizer.onnx", onnx.write, onnx.load),
}
