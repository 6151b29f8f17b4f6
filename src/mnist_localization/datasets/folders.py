"""Kedro datasets of local folders."""

import shutil
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview

from mnist_localization.data.images.store import DecodedSplit, ImageStore, SplitDataset
from mnist_localization.errors import ImageError
from mnist_localization.files import atomic_path
from mnist_localization.tracking import RunContext, Tracker


class FolderDataset(AbstractDataset[None, Path]):
    """Local folder, loaded as its path: for stages that read or write many files."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Set the folder.

        Args:
            path: Local folder; relative paths start at the project.
            metadata: Ignored by Kedro; read by plugins.
        """
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> Path:
        """Create the folder if it does not exist, and return its path."""
        self._path.mkdir(parents=True, exist_ok=True)
        return self._path

    def save(self, data: None) -> NoReturn:
        """Raise an error, because a folder cannot be the output of a node."""
        raise DatasetError(f"{self} can only be the input of a node, not an output")

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path.as_posix()}


class TrackerDataset(FolderDataset):
    """W&B run of this `kedro run`; outside of one, a tracker that records nothing.

    The folder holds all files that W&B writes.
    """

    # A W&B run belongs to one process, so Kedro's ParallelRunner must refuse this dataset.
    _SINGLE_PROCESS = True

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        """Set the folder.

        Args:
            path: Local folder; relative paths start at the project.
            metadata: Ignored by Kedro; read by plugins.
        """
        super().__init__(path=path, metadata=metadata)
        self._tracker = Tracker(RunContext(), self._path)

    def attach(self, context: RunContext) -> Tracker:
        """Create the tracker of a `kedro run`, which `load` returns from now on."""
        self._tracker = Tracker(context, self._path)
        return self._tracker

    def load(self) -> Tracker:  # type: ignore[override]
        """Return the tracker of this `kedro run`."""
        return self._tracker


class ImageSplitDataset(AbstractDataset[DecodedSplit, SplitDataset]):
    """Image store of a split, loaded as a `tf.data.Dataset` of batches.

    The attribute `store` of the loaded dataset is the `ImageStore` that it reads. Use it for other
    batches, another order or plain arrays.
    """

    def __init__(
        self,
        *,
        path: str,
        load_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Set the folder of the store.

        Args:
            path: Local folder; relative paths start at the project.
            load_args: `batch_size`, `shuffle` and `seed` of the dataset that `load` returns.
            metadata: Ignored by Kedro; read by plugins.
        """
        self._path = Path(path)
        self._load_args = {"batch_size": 128, **(load_args or {})}
        self.metadata = metadata

    def load(self) -> SplitDataset:
        """Return batches `(image, {"label", "bbox"})`; see `images.pipeline.batches`."""
        from mnist_localization.data.images.pipeline import batches

        pipeline: SplitDataset = batches(ImageStore(self._path), **self._load_args)
        return pipeline

    def save(self, data: DecodedSplit) -> None:
        """Move a decoded split into place, unless it is there already."""
        if data.folder.resolve() == self._path.resolve():
            return
        with atomic_path(self._path) as temporary:
            shutil.move(data.folder, temporary)

    def preview(self, nrows: int = 10) -> TablePreview:
        """Return the first annotations of the split."""
        table = ImageStore(self._path).annotations.head(nrows)
        return TablePreview(table.to_dict(orient="split"))

    def _exists(self) -> bool:
        try:
            ImageStore(self._path)
        except ImageError:
            return False
        return True

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path.as_posix(), "load_args": self._load_args}
