"""Image store: a split on disk, decoded once into uint8 files that are read row by row."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyarrow.parquet import ParquetFile

from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    INPUT_BOX_COLUMNS,
    SIZE_COLUMNS,
    FloatArray,
)
from mnist_localization.errors import ImageError

ANNOTATIONS = "annotations.parquet"
MANIFEST = "split.json"
SHARD_SUFFIX = ".npy"
# Length of the header of a NumPy file of images, which leaves room for any number of images.
HEADER_BYTES = 128


class Shard(NamedTuple):
    """File with consecutive images of a split.

    Attributes:
        file: Name, made from what the images depend on.
        images: Number of images.
        size: Size of the file in bytes.
    """

    file: str
    images: int
    size: int


@dataclass(frozen=True)
class SplitMetadata:
    """Manifest of a store.

    Attributes:
        split: `train`, `validation` or `test`.
        source: Source of the dataset: `upstream`, `base_url`, `synthetic` or `folder`.
        drawn_from: Annotations that its rows were drawn from, `train`, `validation` or `test`.
        fingerprint: SHA-256 of its annotations and pixels, in order.
        spec_key: `SplitSpec.key` of the spec that the store was made from.
        shape: Height, width, channels of each image.
        shards: Files of the images, in order.
        class_names: Name of each class, in the order of the labels.
    """

    split: str
    source: str
    drawn_from: str
    fingerprint: str
    spec_key: str
    shape: tuple[int, int, int] = (0, 0, 0)
    shards: tuple[Shard, ...] = ()
    class_names: tuple[str, ...] = ()


class ImageStore:
    """A split on disk; memory does not grow with the number of images.

    Attributes:
        meta: Manifest of the store.
        shape: Height, width, channels of each image.
    """

    def __init__(self, folder: Path) -> None:
        """Open a finished store.

        Args:
            folder: Folder that `write_store` wrote.

        Raises:
            ImageError: The folder does not hold a finished store.
        """
        try:
            self.meta = read_manifest(folder)
            with ParquetFile(folder / ANNOTATIONS) as table:
                self._columns = set(table.schema_arrow.names)
                rows: int = table.metadata.num_rows
            self._paths = [folder / shard.file for shard in self.meta.shards]
            for path, shard in zip(self._paths, self.meta.shards, strict=True):
                if path.stat().st_size != shard.size:
                    raise ValueError(f"{shard.file} does not have {shard.size} bytes")
            self._ends = np.cumsum([shard.images for shard in self.meta.shards], dtype=np.int64)
            if sum(shard.images for shard in self.meta.shards) != rows:
                raise ValueError(f"{rows} annotations")
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ImageError(
                f"{folder}: not a complete image store, or images and annotations do not match "
                f"({error}); run `kedro run --pipelines=split`"
            ) from error
        self._table, self._rows = folder / ANNOTATIONS, rows
        self.shape = self.meta.shape
        self._row_bytes = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self._rows

    @cached_property
    def annotations(self) -> pd.DataFrame:
        """Table with one row per image, in their order, with boxes as annotated.

        If images are fitted into the model input, it also has the columns `INPUT_BOX_COLUMNS`,
        `SIZE_COLUMNS` and `PLACEMENT_COLUMNS`. Training takes only labels and boxes, because the
        names of millions of images need much memory.
        """
        with self._readable():
            return pd.read_parquet(self._table)

    def read_annotations(
        self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]
    ) -> pd.DataFrame:
        """Read the given rows of `annotations`, which is not loaded."""
        indices = np.asarray(indices, dtype=np.int64)
        parts, start = [], 0
        with self._readable(), ParquetFile(self._table) as table:
            for part in table.iter_batches():
                chosen = indices[(indices >= start) & (indices < start + part.num_rows)]
                parts.append(part.take(chosen - start).to_pandas().set_index(chosen))
                start += part.num_rows
        rows: pd.DataFrame = pd.concat(parts).loc[indices]
        return rows

    def read(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """Read the images of the given rows.

        Args:
            indices: Row numbers, `[n]`.

        Returns:
            Pixels, uint8 0..255, `[n, height, width, channels]`.
        """
        indices = np.asarray(indices, dtype=np.int64)
        rows = np.empty((len(indices), self._row_bytes), dtype=np.uint8)
        numbers = np.searchsorted(self._ends, indices, side="right")
        size, pixels = self._row_bytes, rows.reshape(-1).data
        # Plain reads instead of a memory map, because mapped pages count as resident memory.
        for number in np.unique(numbers).tolist():
            path, shard = self._paths[number], self.meta.shards[number]
            start = HEADER_BYTES - (self._ends[number] - shard.images) * size
            chosen = np.flatnonzero(numbers == number)
            offsets = indices[chosen] * size + start
            with path.open("rb", buffering=0) as file:
                for place, offset in zip((chosen * size).tolist(), offsets.tolist(), strict=True):
                    if _read_into(pixels[place : place + size], file, offset) != size:
                        raise ImageError(f"{path}: ends early; run `kedro run --pipelines=split`")
        return rows.reshape(-1, *self.shape)

    def sample(self, count: int, seed: int) -> npt.NDArray[np.int64]:
        """Return random rows in ascending order, or all rows if there are not more than `count`."""
        generator = np.random.default_rng(seed)
        return np.sort(generator.choice(len(self), min(count, len(self)), replace=False))

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """Label of each image, `[n]`."""
        labels: npt.NDArray[np.int64] = self._values(("label",), np.int64)[:, 0]
        return labels

    @cached_property
    def boxes(self) -> npt.NDArray[np.float32]:
        """Annotated corners, relative to the original images, `[n, 4]`."""
        return self._values(BOX_COLUMNS, np.float32)

    @cached_property
    def input_boxes(self) -> npt.NDArray[np.float32]:
        """Annotated corners, relative to the images as stored, `[n, 4]`."""
        return self._values(self._input_columns, np.float32)

    def read_input_corners(self) -> FloatArray:
        """Read `input_boxes` in the precision of the annotations."""
        return self._values(self._input_columns, np.float64)

    @property
    def _input_columns(self) -> Sequence[str]:
        return INPUT_BOX_COLUMNS if INPUT_BOX_COLUMNS[0] in self._columns else BOX_COLUMNS

    @cached_property
    def resized(self) -> bool:
        """`True` if any image was stored in another size than that of its file."""
        if SIZE_COLUMNS[0] not in self._columns:
            return False
        return bool((self._values(SIZE_COLUMNS, np.int64) != self.shape[:2]).any())

    def _values(self, columns: Sequence[str], kind: type) -> npt.NDArray[Any]:
        """Read columns of the annotations in parts, `[n, columns]`, as a read-only array."""
        values: npt.NDArray[Any] = np.empty((len(self), len(columns)), kind)
        start = 0
        with self._readable(), ParquetFile(self._table) as table:
            for part in table.iter_batches(columns=list(columns)):
                end = start + part.num_rows
                for number, column in enumerate(columns):
                    values[start:end, number] = part.column(column)
                start = end
        values.flags.writeable = False
        return values

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            raise ImageError(
                f"{self._table}: damaged ({error}); remove its folder, and run "
                "`kedro run --pipelines=split`"
            ) from error


def _read_into(pixels: memoryview, file: FileIO, offset: int) -> int:
    """Read from a place in a file, and return the number of bytes."""
    if hasattr(os, "preadv"):  # one call of the operating system instead of two
        return os.preadv(file.fileno(), [pixels], offset)
    file.seek(offset)
    return file.readinto(pixels) or 0


class SplitDataset(Protocol):
    """A `tf.data.Dataset` of `(image, {"label", "bbox"})` batches, with the store it reads."""

    store: ImageStore


def read_manifest(folder: Path) -> SplitMetadata:
    """Return the manifest of a store.

    Raises:
        OSError: There is none.
        ValueError: It is damaged, or of another version.
    """
    content: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    shards = tuple(Shard(*shard) for shard in content.pop("shards"))
    height, width, channels = content.pop("shape")
    names = tuple(content.pop("class_names", ()))
    shape = (height, width, channels)
    return SplitMetadata(**content, shape=shape, shards=shards, class_names=names)
