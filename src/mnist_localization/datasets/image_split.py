"""A split as a dataset: saved as an image store, loaded as `tf.data`."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import TablePreview

from mnist_localization.data.images import ImageStore, SplitDataset, SplitSpec
from mnist_localization.data.images.store import write_store
from mnist_localization.errors import ImageError


class ImageSplitDataset(AbstractDataset[SplitSpec, SplitDataset]):
    """Decodes a `SplitSpec` on saving; loads as a `tf.data.Dataset` of batches.

    The loaded dataset's attribute `store` is the `ImageStore` behind it: what needs other
    batches, another order, or plain arrays asks that.
    """

    def __init__(
        self,
        *,
        path: str,
        load_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Name the store's folder.

        Args:
            path: Local folder; relative paths start at the project.
            load_args: `batch_size`, `shuffle` and `seed` of the pipeline that `load` gives.
            metadata: Ignored by Kedro; read by plugins.
        """
        self._path = Path(path)
        self._load_args = {"batch_size": 128, **(load_args or {})}
        self.metadata = metadata

    def load(self) -> SplitDataset:
        """Batches `(image, {"label", "bbox"})`; see `images.pipeline.batches`."""
        from mnist_localization.data.images.pipeline import batches

        pipeline: SplitDataset = batches(ImageStore(self._path), **self._load_args)
        return pipeline

    def save(self, data: SplitSpec) -> None:
        """Decode the images of the request into the store."""
        write_store(data, self._path)

    def preview(self, nrows: int = 10) -> TablePreview:
        """First annotations of the split."""
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
