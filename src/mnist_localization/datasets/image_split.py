"""Image splits: saved as an image store, loaded as `tf.data`."""

import shutil
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import TablePreview

from mnist_localization.data.images import DecodedSplit, ImageStore, SplitDataset
from mnist_localization.errors import ImageError
from mnist_localization.files import atomic_path


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
