"""Image store: a split on disk, decoded once into one uint8 file that is read row by row."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.boxes import (
    ANNOTATION_COLUMNS,
    BOX_COLUMNS,
    INPUT_BOX_COLUMNS,
    PLACEMENT_COLUMNS,
    SIZE_COLUMNS,
    input_corners,
)
from mnist_localization.data.images.decode import map_in_threads, read_image
from mnist_localization.data.images.letterbox import (
    compute_placements,
    fit_into_input,
    to_input_frame,
)
from mnist_localization.errors import ImageError
from mnist_localization.files import remove, write_json

logger = logging.getLogger(__name__)

_IMAGES = "images.npy"
_ANNOTATIONS = "annotations.parquet"
_MANIFEST = "split.json"
_SCRATCH = ".scratch"
# Images that cannot be used, listed in a message.
_LISTED = 20


@dataclass(frozen=True)
class SplitMetadata:
    """Manifest of a store.

    Attributes:
        split: `train`, `validation` or `test`.
        source: Source of the dataset: `upstream`, `base_url`, `synthetic` or `folder`.
        drawn_from: Annotations that its rows were drawn from, `train` or `test`.
        fingerprint: SHA-256 of its annotations and pixels, in order.
        spec_key: `SplitSpec.key` of the spec that the store was made from.
    """

    split: str
    source: str
    drawn_from: str
    fingerprint: str
    spec_key: str


@dataclass(frozen=True)
class SplitSpec:
    """Specification of a split whose images are not decoded yet.

    Attributes:
        split: `train`, `validation` or `test`.
        source: Source of the dataset.
        drawn_from: Annotations that its rows were drawn from, `train` or `test`.
        annotations: One row per image, columns `ANNOTATION_COLUMNS`.
        images: Folder of the image files.
        images_key: Identifier of the content of that folder, such as the hash of its archive.
        image: Shape of the model input, and which conversions are allowed.
        max_image_mb: Size in MiB above which an image is refused before it is decoded.
        drops_bad_images: Whether images that cannot be decoded are left out.
    """

    split: str
    source: str
    drawn_from: str
    annotations: pd.DataFrame
    images: Path
    images_key: str
    image: ImageSettings
    max_image_mb: float
    drops_bad_images: bool = False

    @property
    def key(self) -> str:
        """Return a digest; equal specs give equal stores."""
        digest = hashlib.sha256(_annotation_bytes(self.annotations))
        parts = [self.split, self.source, self.drawn_from, self.images_key]
        parts += ["drop"] if self.drops_bad_images else []
        digest.update(json.dumps([*parts, self.image.model_dump()]).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class DecodedSplit:
    """Handle of a finished store, which saving moves into place.

    Attributes:
        folder: Folder of the store. If an equal split exists already, it is the final one.
    """

    folder: Path


class ImageStore:
    """A split on disk; memory does not grow with the number of images.

    Attributes:
        annotations: One row per image, in the order of the images, with boxes as annotated. If
            images are fitted into the model input, also the columns `INPUT_BOX_COLUMNS`,
            `SIZE_COLUMNS` and `PLACEMENT_COLUMNS`.
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
        self._path = folder / _IMAGES
        try:
            self.meta = SplitMetadata(**json.loads((folder / _MANIFEST).read_text("utf-8")))
            self.annotations = pd.read_parquet(folder / _ANNOTATIONS)
            # Mapped only to read the header and to compare the shape with the size of the file.
            images = np.lib.format.open_memmap(self._path, mode="r")
            count, height, width, channels = images.shape
            if images.dtype != np.uint8 or count != len(self.annotations):
                raise ValueError(f"images of type {images.dtype} and shape {images.shape}")
        except (OSError, ValueError, TypeError) as error:
            raise ImageError(
                f"{folder}: not a complete image store, or images and annotations do not match "
                f"({error}); run `kedro run --pipelines=split`"
            ) from error
        self.shape: tuple[int, int, int] = (height, width, channels)
        self._start, self._row_bytes = images.offset, height * width * channels

    def __len__(self) -> int:
        return len(self.annotations)

    def read(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """Read the images of the given rows.

        Args:
            indices: Row numbers, `[n]`.

        Returns:
            Pixels, uint8 0..255, `[n, height, width, channels]`.
        """
        rows = np.empty((len(indices), self._row_bytes), dtype=np.uint8)
        # Plain reads instead of a memory map, because mapped pages count as resident memory.
        with self._path.open("rb", buffering=0) as file:
            offsets = np.asarray(indices, dtype=np.int64) * self._row_bytes + self._start
            for row, offset in zip(rows, offsets.tolist(), strict=True):
                file.seek(offset)
                file.readinto(row.data)
        return rows.reshape(-1, *self.shape)

    def sample(self, count: int, seed: int) -> npt.NDArray[np.int64]:
        """Return random rows in ascending order, or all rows if there are not more than `count`."""
        generator = np.random.default_rng(seed)
        return np.sort(generator.choice(len(self), min(count, len(self)), replace=False))

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Return the label of each image, `[n]`."""
        return self.annotations["label"].to_numpy(np.int64)

    @property
    def boxes(self) -> npt.NDArray[np.float32]:
        """Return the annotated corners, relative to the original images, `[n, 4]`."""
        return self.annotations[list(BOX_COLUMNS)].to_numpy(np.float32)

    @property
    def input_boxes(self) -> npt.NDArray[np.float32]:
        """Return the annotated corners, relative to the images as stored, `[n, 4]`."""
        return input_corners(self.annotations).astype(np.float32)

    @property
    def resized(self) -> bool:
        """Return whether any image was stored in another size than that of its file."""
        if SIZE_COLUMNS[0] not in self.annotations:
            return False
        sizes = self.annotations[list(SIZE_COLUMNS)].to_numpy()
        return bool((sizes != self.shape[:2]).any())


class SplitDataset(Protocol):
    """A `tf.data.Dataset` of `(image, {"label", "bbox"})` batches, with the store it reads."""

    store: ImageStore


def decode_split(spec: SplitSpec, stores: Path) -> DecodedSplit:
    """Decode the images of a split, unless a store made from an equal spec exists.

    Args:
        spec: The split to decode.
        stores: Folder of the stores of all splits. A new store is written to its subfolder
            `.scratch`, where a later run finds it if this run is killed before it is saved.

    Raises:
        ImageError: An image is missing, unreadable or has another shape.
    """
    scratch = stores / _SCRATCH / spec.split
    for folder in (*sorted(stores.glob("[!.]*")), scratch):
        if _is_made_from(spec, folder):
            return DecodedSplit(folder)
    write_store(spec, scratch)
    return DecodedSplit(scratch)


def write_store(spec: SplitSpec, folder: Path) -> None:
    """Decode the images of a split into a folder; the manifest, written last, completes it.

    Args:
        spec: The split to decode.
        folder: Folder of the store; what it holds is removed.

    Raises:
        ImageError: An image is missing, unreadable or has another shape.
    """
    remove(folder)
    folder.mkdir(parents=True)
    annotations = spec.annotations[list(ANNOTATION_COLUMNS)].reset_index(drop=True)
    fingerprint = hashlib.sha256(_annotation_bytes(annotations))
    sizes, bad = _write_images(spec, folder / _IMAGES, fingerprint)
    annotations = annotations.drop(index=list(bad)).reset_index(drop=True)
    if spec.image.letterbox:
        fingerprint.update(sizes.tobytes())
        annotations = _with_input_columns(annotations, sizes, spec.image)
    annotations.to_parquet(folder / _ANNOTATIONS, index=False)
    metadata = SplitMetadata(
        split=spec.split,
        source=spec.source,
        drawn_from=spec.drawn_from,
        fingerprint=fingerprint.hexdigest(),
        spec_key=spec.key,
    )
    write_json(folder / _MANIFEST, asdict(metadata))


def _write_images(
    spec: SplitSpec, path: Path, fingerprint: "hashlib._Hash"
) -> tuple[npt.NDArray[np.int64], dict[int, str]]:
    """Write all images to one file and update the fingerprint.

    Returns:
        The sizes of the files, and the rows of images that cannot be decoded with the reasons.
    """
    image, sizes, bad = spec.image, [], {}

    def read(name: str) -> tuple[npt.NDArray[np.uint8], tuple[int, ...]] | ImageError:
        try:
            pixels = read_image(spec.images / name, image, spec.max_image_mb)
        except ImageError as error:
            return error
        stored = fit_into_input(pixels, image.height, image.width, image.background)
        return stored, pixels.shape[:2]

    files = spec.annotations["file"].tolist()
    with path.open("wb") as file:
        _write_header(file, (len(files), *image.shape))
        for row, result in enumerate(map_in_threads(read, files, f"decode {spec.split}")):
            if isinstance(result, ImageError):
                bad[row] = str(result)
                continue
            pixels, size = result
            data = pixels.tobytes()
            fingerprint.update(data)
            file.write(data)
            sizes.append(size)
        if bad:
            _report_bad_images(spec, list(bad.values()), len(files))
            file.seek(0)
            _write_header(file, (len(sizes), *image.shape))
    return np.array(sizes, dtype=np.int64).reshape(-1, 2), bad


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write the header of a NumPy file; its length does not depend on the number of images."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _report_bad_images(spec: SplitSpec, reasons: Sequence[str], images: int) -> None:
    """Log the images that are left out, or raise an error with all of them."""
    listed = "".join(f"\n  {reason}" for reason in reasons[:_LISTED])
    if len(reasons) > _LISTED:
        listed += f"\n  ... and {len(reasons) - _LISTED} more"
    if spec.drops_bad_images and len(reasons) < images:
        logger.warning("Left out %d images of %s:%s", len(reasons), spec.split, listed)
        return
    hint = "" if len(reasons) == images else ", or leave them out with split.on_bad_images=drop"
    raise ImageError(
        f"{len(reasons)} of {images} images of the {spec.split} split cannot be used:{listed}\n"
        f"Replace them{hint}; `kedro run --pipelines=check` lists all."
    )


def _with_input_columns(
    annotations: pd.DataFrame, sizes: npt.NDArray[np.int64], image: ImageSettings
) -> pd.DataFrame:
    placed = compute_placements(sizes[:, 0], sizes[:, 1], image.height, image.width)
    result = annotations.copy()
    result[list(INPUT_BOX_COLUMNS)] = to_input_frame(
        annotations[list(BOX_COLUMNS)].to_numpy(), placed
    )
    result[list(SIZE_COLUMNS)] = sizes
    result[list(PLACEMENT_COLUMNS)] = placed
    return result


def _is_made_from(spec: SplitSpec, folder: Path) -> bool:
    try:
        return ImageStore(folder).meta.spec_key == spec.key
    except ImageError:
        return False


def _annotation_bytes(annotations: pd.DataFrame) -> bytes:
    return annotations[list(ANNOTATION_COLUMNS)].to_csv(index=False).encode()
