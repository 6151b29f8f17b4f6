"""Kedro datasets of folders."""

import shutil
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview

from mnist_localization.data.images.store import (
    MANIFEST,
    SHARD_SUFFIX,
    ImageStore,
    SplitDataset,
)
from mnist_localization.data.images.store_writer import DecodedSplit
from mnist_localization.errors import ImageError
from mnist_localization.files import atomic_path
from mnist_localization.folder import Folder
from mnist_localization.storage import Store
from mnist_localization.tracking import RunContext, Tracker


class FolderDataset(AbstractDataset[None, Path]):
    """Folder, loaded as a local path: for stages that read or write many files.

    A folder on an object store is one archive there. `load` updates a local copy, and `push`,
    which a hook calls after each node that takes the folder, uploads the copy if it has changed.
    """

    def __init__(
        self,
        *,
        path: str,
        copies: dict[str, str] | None = None,
        archive: bool = True,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Set the folder.

        Args:
            path: Local folder or URL; relative paths start at the project.
            copies: `path` of the folder of the local copies of URLs.
            archive: Whether the folder is kept on the object store; if not, it is only local.
            metadata: Ignored by Kedro; read by plugins.
        """
        self.folder = stored_folder(path, copies)
        self._archive = archive
        self.metadata = metadata

    def load(self) -> Path:
        """Create the folder if it does not exist, and return its local path."""
        if self._archive:
            self.folder.pull()
        self.folder.path.mkdir(parents=True, exist_ok=True)
        return self.folder.path

    def save(self, data: None) -> NoReturn:
        """Raise an error, because a folder cannot be the output of a node."""
        raise DatasetError(f"{self} can only be the input of a node, not an output")

    def push(self) -> None:
        """Upload the local copy if it has changed."""
        if self._archive:
            self.folder.push()

    def _exists(self) -> bool:
        return self.folder.path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": self.folder.url or self.folder.path.as_posix()}


class CheckpointsDataset(FolderDataset):
    """Folder of checkpoints, which the stage `train` transfers itself after each epoch."""

    def load(self) -> Folder:  # type: ignore[override]
        """Return the folder; each checkpoint is a subfolder."""
        return self.folder

    def push(self) -> None:
        """Do nothing: the stage has done it."""


class TrackerDataset(FolderDataset):
    """W&B run of this `kedro run`; outside of one, a tracker that records nothing.

    The folder holds all files that W&B writes.
    """

    # A W&B run belongs to one process, so Kedro's ParallelRunner must refuse this dataset.
    _SINGLE_PROCESS = True

    def __init__(self, **arguments: Any) -> None:
        """Set the folder; the arguments are those of `FolderDataset`."""
        super().__init__(**arguments)
        self._tracker = Tracker(RunContext(), self.folder.path)

    def attach(self, context: RunContext) -> Tracker:
        """Create the tracker of a `kedro run`, which `load` returns from now on."""
        self._tracker = Tracker(context, self.folder.pull())
        return self._tracker

    def load(self) -> Tracker:  # type: ignore[override]
        """Return the tracker of this `kedro run`."""
        return self._tracker

    def push(self) -> None:
        """Do nothing: W&B writes until the run is closed."""

    def close(self, error: Exception | None) -> None:
        """Close the W&B run, as failed if there is an error, and upload its files."""
        self._tracker.close(error)
        self.folder.push()


class ImageSplitDataset(AbstractDataset[DecodedSplit, SplitDataset]):
    """Image store of a split, loaded as a `tf.data.Dataset` of batches.

    The attribute `store` of the loaded dataset is the `ImageStore` that it reads. Use it for other
    batches, another order or plain arrays.
    """

    def __init__(
        self,
        *,
        path: str,
        copies: dict[str, str] | None = None,
        load_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Set the folder of the store.

        Args:
            path: Local folder or URL; relative paths start at the project.
            copies: `path` of the folder of the local copies of URLs.
            load_args: `batch_size`, `shuffle` and `seed` of the dataset that `load` returns.
            metadata: Ignored by Kedro; read by plugins.
        """
        self._folder = stored_folder(path, copies)
        self._load_args = {"batch_size": 128, **(load_args or {})}
        self.metadata = metadata

    def load(self) -> SplitDataset:
        """Return batches `(image, {"label", "bbox"})`; see `images.pipeline.batches`."""
        from mnist_localization.data.images.pipeline import batches

        pipeline: SplitDataset = batches(ImageStore(self._pull()), **self._load_args)
        return pipeline

    def save(self, data: DecodedSplit) -> None:
        """Move a decoded split into place, unless it is there already."""
        path = self._folder.path
        if data.folder.resolve() != path.resolve():
            with atomic_path(path) as temporary:
                shutil.move(data.folder, temporary)
        if self._folder.url:
            Store(self._folder.url).push_files(path, MANIFEST, SHARD_SUFFIX)

    def preview(self, nrows: int = 10) -> TablePreview:
        """Return the first annotations of the split."""
        table = ImageStore(self._pull()).annotations.head(nrows)
        return TablePreview(table.to_dict(orient="split"))

    def _pull(self) -> Path:
        """Update the local copy of a store on an object store, and return its path."""
        if self._folder.url:
            self._folder.path.mkdir(parents=True, exist_ok=True)
            Store(self._folder.url).pull_files(self._folder.path, MANIFEST, SHARD_SUFFIX)
        return self._folder.path

    def _exists(self) -> bool:
        try:
            ImageStore(self._pull())
        except ImageError:
            return False
        return True

    def _describe(self) -> dict[str, Any]:
        return {
            "path": self._folder.url or self._folder.path.as_posix(),
            "load_args": self._load_args,
        }


def stored_folder(path: str, copies: dict[str, str] | None) -> Folder:
    """Return the folder of the arguments `path` and `copies` of a dataset."""
    return Folder.at(path, Path((copies or {}).get("path", ".cache")))
