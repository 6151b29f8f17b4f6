"""Kedro datasets of the project; they do I/O only."""

import importlib
from typing import Any

# Imported on first use, because listing the pipelines must not import TensorFlow or a plotting
# library.
_MODULES = {
    "TypedJSONDataset": "atomic",
    "CheckpointsDataset": "folders",
    "FolderDataset": "folders",
    "ImageSplitDataset": "folders",
    "TrackerDataset": "folders",
    "LocalizerDataset": "localizer",
    "RunsDataset": "runs",
    "SessionDataset": "session",
}


def __getattr__(name: str) -> Any:
    module = "atomic" if name.startswith("Atomic") else _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
