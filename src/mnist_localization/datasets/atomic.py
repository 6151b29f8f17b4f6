"""Kedro datasets of one file that save atomically: write to a sibling, then rename."""

import pkgutil
from pathlib import Path, PurePosixPath
from typing import Any

from kedro_datasets._typing import JSONPreview
from kedro_datasets.json import JSONDataset
from pydantic import BaseModel, ValidationError

from mnist_localization.errors import LocalizationError
from mnist_localization.files import atomic_path

# Atomic variants of kedro-datasets classes, created on first use by `__getattr__`: a run that
# saves JSON must not import a plotting library.
_BASES = {
    "AtomicJSONDataset": "kedro_datasets.json.JSONDataset",
    "AtomicMatplotlibDataset": "kedro_datasets.matplotlib.MatplotlibDataset",
    "AtomicParquetDataset": "kedro_datasets.pandas.ParquetDataset",
    "AtomicPlotlyDataset": "kedro_datasets.plotly.JSONDataset",
    "AtomicTextDataset": "kedro_datasets.text.TextDataset",
}


class AtomicSave:
    """Mixin for datasets that write to `_get_save_path()`; precedes the dataset in the bases."""

    _protocol: str
    _temporary: PurePosixPath | None = None

    def save(self, data: Any) -> None:
        """Save to a temporary sibling, then rename it to the final path.

        An object store needs neither: an object appears when it is complete.
        """
        # The undecorated method, because Kedro's logging already wraps this one.
        save = super().save.__wrapped__  # type: ignore[misc]
        if self._protocol != "file":
            save(self, data)
            return
        with atomic_path(Path(super()._get_save_path())) as temporary:  # type: ignore[misc]
            self._temporary = PurePosixPath(temporary)
            try:
                save(self, data)
            finally:
                self._temporary = None

    def _get_save_path(self) -> PurePosixPath:
        return self._temporary or super()._get_save_path()  # type: ignore[misc,no-any-return]


class TypedJSONDataset(AtomicSave, JSONDataset):  # type: ignore[misc]
    """JSON file of a pydantic model: validated on load, saved atomically by alias."""

    def __init__(self, *, model: str, stage: str = "", **arguments: Any) -> None:
        """Create the dataset without importing the model.

        Args:
            model: Dotted path of the pydantic model class.
            stage: Pipeline that writes the file, named by the error about an invalid file.
            **arguments: Arguments of `json.JSONDataset`.
        """
        super().__init__(**arguments)
        self._model = model
        self._stage = stage

    def load(self) -> BaseModel:
        """Return the validated model.

        Raises:
            LocalizationError: The file is not JSON, or does not match the model.
        """
        model: type[BaseModel] = pkgutil.resolve_name(self._model)
        try:
            # The undecorated method, because Kedro's logging already wraps this one.
            return model.model_validate(JSONDataset.load.__wrapped__(self))
        except ValueError as error:
            command = f"`kedro run --pipelines={self._stage}`" if self._stage else "the stage"
            raise LocalizationError(
                f"{self._filepath} is not a valid {model.__name__} ({_reason(error)}); it is "
                f"damaged or was written by another version; run {command} again"
            ) from error

    def save(self, data: BaseModel) -> None:
        """Write the model as JSON."""
        super().save(data.model_dump(mode="json", by_alias=True))

    def preview(self) -> JSONPreview:
        """Return the JSON document for kedro-viz."""
        return JSONPreview(self.load().model_dump_json(by_alias=True))

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "model": self._model}


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return f"not valid UTF-8 JSON: {error}"
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "document"
    return f"{place}: {first['msg']}"


def __getattr__(name: str) -> Any:
    if name not in _BASES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    bases = (AtomicSave, pkgutil.resolve_name(_BASES[name]))
    members = {"__module__": __name__, "__doc__": f"`{_BASES[name]}` that saves atomically."}
    globals()[name] = type(name, bases, members)
    return globals()[name]
