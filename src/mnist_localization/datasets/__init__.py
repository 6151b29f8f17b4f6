"""Kedro datasets of the project; they do I/O only."""

import importlib
from typing import Any

# Imported on first use, because listing the pipelines must not import TensorFlow or a plotting
# library.
_MODULES = {
    "AtomicJSONDataset": "atomic",
    "AtomicMatplotlibDataset": "atomic",
    "AtomicParquetDataset": "atomic",
    "AtomicPlotlyDataset": "atomic",
    "AtomicTextDataset": "atomic",
    "TypedJSONDataset": "atomic",
    "FolderDataset": "folders",
    "ImageSplitDataset": "folders",
    "TrackerDataset": "folders",
    "LocalizerDataset": "localizer",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
