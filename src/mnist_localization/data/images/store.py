"""A split on disk: every image decoded once, uint8, in one file that is read row by row."""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from mnist_localization.config import ImageSettings
from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    INPUT_BOX_COLUMNS,
    PLACEMENT_COLUMNS,
    SIZE_COLUMNS,
    input_corners,
)
from mnist_localization.data.images.decode import read_image
from mnist_localization.data.images.letterbox import into_input, letterboxed, placements
from mnist_localization.errors import ImageError

ANNOTATION_COLUMNS = ("file", "label", *BOX_COLUMNS)

_IMAGES = "images.npy"
_ANNOTATIONS = "annotations.parquet"
_META = "split.json"
_CHUNK = 512
# Images a thread decodes in one go: handing over each small image takes as long as decoding it.
_SHARE = 32


@dataclass(frozen=True)
class SplitMetadata:
    """What is recorded of a split.

    Attributes:
        split: Its name: `train`, `validation` or `test`.
        source: Source of the dataset: `upstream`, `base_url`, `synthetic` or `folder`.
        drawn_from: The annotations that its rows come from: `train` or `test`.
        fingerprint: SHA-256 of its annotations and pixels, in order.
        spec_key: Digest of what the store was made from.
    """

    split: str
    source: str
    drawn_from: str
    fingerprint: str
    spec_key: str


@dataclass(frozen=True)
class SplitSpec:
    """A split that is still to be decoded.

    Attributes:
        split: Its name: `train`, `validation` or `test`.
        source: Source of the dataset.
        drawn_from: The annotations that its rows come from: `train` or `test`.
        annotations: One row an image, columns `file, label, xmin, ymin, xmax, ymax`; boxes
            relative to each image.
        images: Folder that holds the files.
        images_key: What identifies the content of that folder, such as its archive's hash.
        image: Shape of the model's input, and whether images of others are fitted in.
        max_image_mb: Size above which an image is refused unread, in MiB.
    """

    split: str
    source: str
    drawn_from: str
    annotations: pd.DataFrame
    images: Path
    images_key: str
    image: ImageSettings
    max_image_mb: float

    @property
    def key(self) -> str:
        """Digest of the request: equal requests give equal stores."""
        digest = hashlib.sha256(_annotation_bytes(self.annotations))
        said: list[object] = [self.split, self.source, self.drawn_from, self.images_key]
        said += self.image.shape
        if self.image.letterbox or self.image.convert_channels:
            said += [self.image.model_dump()]
        digest.update(json.dumps(said).encode())
        return digest.hexdigest()


class ImageStore:
    """A split on disk, read row by row: memory does not grow with the number of images.

    Attributes:
        annotations: One row per image, in the order of the images, with boxes as annotated. If
            images are fitted into the model input, also the columns `INPUT_BOX_COLUMNS`,
            `SIZE_COLUMNS` and `PLACEMENT_COLUMNS`.
        meta: What is recorded of the split.
        shape: Height, width, channels of each image.
    """

    def __init__(self, folder: Path) -> None:
        """Open a finished store.

        Args:
            folder: Folder that `write_store` made.

        Raises:
            ImageError: The folder holds no finished store.
        """
        try:
            self.meta = SplitMetadata(**json.loads((folder / _META).read_text("utf-8")))
            self.annotations = pd.read_parquet(folder / _ANNOTATIONS)
            with (folder / _IMAGES).open("rb") as file:
                self._rows, self.shape, self._start = _read_header(file)
        except (OSError, ValueError, TypeError) as error:
            raise ImageError(
                f"{folder}: no complete image store ({error}); run `kedro run --pipeline=split`"
            ) from error
        self._path = folder / _IMAGES
        self._row_bytes = int(np.prod(self.shape))
        expected = self._start + self._rows * self._row_bytes
        if self._rows != len(self.annotations) or self._path.stat().st_size != expected:
            raise ImageError(
                f"{folder}: images and annotations of the store do not fit each other; delete the "
                "folder and run `kedro run --pipeline=split`"
            )

    def __len__(self) -> int:
        return self._rows

    def read(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """Images of the given rows.

        Args:
            indices: Row numbers, `[n]`.

        Returns:
            Pixels, uint8 0..255, `[n, height, width, channels]`.
        """
        rows = np.empty((len(indices), self._row_bytes), dtype=np.uint8)
        # Plain reads, not a memory map: mapped pages would count as resident memory.
        with self._path.open("rb", buffering=0) as file:
            offsets = np.asarray(indices, dtype=np.int64) * self._row_bytes + self._start
            for row, offset in zip(rows, offsets.tolist(), strict=True):
                file.seek(offset)
                file.readinto(row.data)
        return rows.reshape(-1, *self.shape)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Label of each image, `[n]`."""
        return self.annotations["label"].to_numpy(np.int64)

    @property
    def boxes(self) -> npt.NDArray[np.float32]:
        """Annotated corners, relative to the original images, `[n, 4]`."""
        return self.annotations[list(BOX_COLUMNS)].to_numpy(np.float32)

    @property
    def input_boxes(self) -> npt.NDArray[np.float32]:
        """Annotated corners, relative to the images as they are stored, `[n, 4]`."""
        return input_corners(self.annotations).astype(np.float32)

    @property
    def resized(self) -> bool:
        """Whether any image was of another size than it is stored in."""
        if SIZE_COLUMNS[0] not in self.annotations:
            return False
        sizes = self.annotations[list(SIZE_COLUMNS)].to_numpy()
        return bool((sizes != self.shape[:2]).any())


class SplitDataset(Protocol):
    """A `tf.data.Dataset` of `(image, {"label", "bbox"})` batches, and the store behind it."""

    store: ImageStore


def write_store(request: SplitSpec, folder: Path) -> None:
    """Decode the images of a request into a store, made beside and renamed at the end.

    A store that was made from an equal request is kept.

    Args:
        request: The split to decode.
        folder: Where the store shall stand; what stood there is replaced.

    Raises:
        ImageError: An image is missing, unreadable or of another shape.
    """
    if _is_made_from(request, folder):
        return
    beside = folder.with_name(f".{folder.name}.part")
    _remove(beside)
    beside.mkdir(parents=True)
    annotations = request.annotations[list(ANNOTATION_COLUMNS)].reset_index(drop=True)
    fingerprint = hashlib.sha256(_annotation_bytes(annotations))
    sizes = _write_images(request, beside / _IMAGES, fingerprint)
    if request.image.letterbox:
        fingerprint.update(sizes.tobytes())
        annotations = _fitted_in(annotations, sizes, request.image)
    annotations.to_parquet(beside / _ANNOTATIONS, index=False)
    meta = SplitMetadata(
        split=request.split,
        source=request.source,
        drawn_from=request.drawn_from,
        fingerprint=fingerprint.hexdigest(),
        spec_key=request.key,
    )
    (beside / _META).write_text(json.dumps(asdict(meta), indent=2), "utf-8")
    _remove(folder)
    beside.replace(folder)


def _write_images(
    request: SplitSpec, path: Path, fingerprint: "hashlib._Hash"
) -> npt.NDArray[np.int64]:
    """Write all images into one file, add them to the fingerprint, and give their sizes."""
    sizes = []
    shape = (len(request.annotations), *request.image.shape)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        for chunk, chunk_sizes in _decoded_chunks(request):
            data = chunk.tobytes()
            fingerprint.update(data)
            file.write(data)
            sizes.append(chunk_sizes)
    return np.concatenate(sizes)


def _decoded_chunks(
    request: SplitSpec,
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
    """Chunks of images as they are stored, and height and width of each file, `[n, 2]`."""
    image = request.image

    def read(name: str) -> tuple[npt.NDArray[np.uint8], tuple[int, int]]:
        pixels = read_image(
            request.images / name,
            image.shape,
            request.max_image_mb,
            any_size=image.letterbox,
            any_channels=image.convert_channels,
            background=image.background,
        )
        stored = letterboxed(pixels, image.height, image.width, image.background)
        return stored, (pixels.shape[0], pixels.shape[1])

    def read_all(names: Sequence[str]) -> list[tuple[npt.NDArray[np.uint8], tuple[int, int]]]:
        return [read(name) for name in names]

    files = request.annotations["file"].tolist()
    with (
        ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool,
        tqdm(total=len(files), desc=f"decode {request.split}", unit="image", disable=None) as bar,
    ):
        for start in range(0, len(files), _CHUNK):
            stop = min(start + _CHUNK, len(files))
            shares = [files[at : min(at + _SHARE, stop)] for at in range(start, stop, _SHARE)]
            chunk = [each for share in pool.map(read_all, shares) for each in share]
            bar.update(len(chunk))
            pixels, sizes = zip(*chunk, strict=True)
            yield np.stack(pixels), np.array(sizes, dtype=np.int64)


def _fitted_in(
    annotations: pd.DataFrame, sizes: npt.NDArray[np.int64], image: ImageSettings
) -> pd.DataFrame:
    """Add the boxes in the model input, the sizes of the files and the placements."""
    placed = placements(sizes[:, 0], sizes[:, 1], image.height, image.width)
    result = annotations.copy()
    result[list(INPUT_BOX_COLUMNS)] = into_input(annotations[list(BOX_COLUMNS)].to_numpy(), placed)
    result[list(SIZE_COLUMNS)] = sizes
    result[list(PLACEMENT_COLUMNS)] = placed
    return result


def _is_made_from(request: SplitSpec, folder: Path) -> bool:
    try:
        return ImageStore(folder).meta.spec_key == request.key
    except ImageError:
        return False


def _remove(folder: Path) -> None:
    """Remove a folder under another name first: half a store never stands under its own."""
    if folder.exists():
        doomed = folder.with_name(f".{folder.name.lstrip('.')}.old")
        shutil.rmtree(doomed, ignore_errors=True)
        folder.replace(doomed)
        shutil.rmtree(doomed)


def _read_header(file: io.BufferedIOBase) -> tuple[int, tuple[int, int, int], int]:
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"unknown version {version} of the image file")
    (rows, height, width, channels), fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if fortran or dtype != np.uint8:
        raise ValueError(f"images of type {dtype}, expected uint8 in rows")
    return rows, (height, width, channels), file.tell()


def _annotation_bytes(annotations: pd.DataFrame) -> bytes:
    return annotations[list(ANNOTATION_COLUMNS)].to_csv(index=False).encode()
