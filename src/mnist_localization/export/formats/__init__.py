"""Registry of export formats: each module in this folder defines one `FORMAT`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_localization.registry import load_module

Images = npt.NDArray[np.uint8]
# Images [n, height, width, channels] to `label` [n, classes] and `bbox` [n, 4].
Predictor = Callable[[Images], Mapping[str, npt.ArrayLike]]


@dataclass(frozen=True)
class ExportFormat:
    """A file format that the localizer can be exported to.

    An exported model takes unscaled pixels, float32 0..255 `[batch, height, width, channels]`,
    and returns `label` (probabilities, `[batch, classes]`) and `bbox` (relative corners,
    `[batch, 4]`), decoded and snapped like the output of the Keras model.

    Attributes:
        file_name: Name of the exported file or folder.
        write: Writes a Keras model to a path. The third argument holds training images, uint8
            `[n, height, width, channels]`, for formats that need representative data.
        load: Loads an exported file as a function from images to `label` and `bbox`.
    """

    file_name: str
    write: Callable[[Any, Path, Images], None]
    load: Callable[[Path], Predictor]


def export_format(name: str) -> ExportFormat:
    """Return the format that a module of this folder defines.

    Args:
        name: Name of the module, for example `litert`.
    """
    found: ExportFormat = load_module("export/formats", name).FORMAT
    return found
