"""Kedro datasets of ours: I/O, and nothing else."""

import importlib
from typing import Any

# Loaded on first use: listing the pipelines must not import TensorFlow or plotting libraries.
_HOMES = {
    "AtomicJSONDataset": "atomic_json",
    "AtomicMatplotlibDataset": "atomic_matplotlib",
    "AtomicParquetDataset": "atomic_parquet",
    "AtomicPlotlyDataset": "atomic_plotly",
    "AtomicTextDataset": "atomic_text",
    "FolderDataset": "folder",
    "ImageSplitDataset": "image_split",
    "LocalizerDataset": "localizer",
    "TrackerDataset": "tracker",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
