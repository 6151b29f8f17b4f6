"""Writing of image stores: images are decoded into shards, and the manifest is written last."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

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
)
from mnist_localization.data.images.decode import map_in_threads, read_image
from mnist_localization.data.images.letterbox import (
    compute_placements,
    fit_into_input,
    to_input_frame,
)
from mnist_localization.data.images.store import (
    ANNOTATIONS,
    HEADER_BYTES,
    MANIFEST,
    SHARD_SUFFIX,
    ImageStore,
    Shard,
    SplitMetadata,
)
from mnist_localization.errors import ImageError
from mnist_localization.files import atomic_path, remove, write_json

logger = logging.getLogger(__name__)

_SCRATCH = ".scratch"
_MEBIBYTE = 2**20
_BLOCK = 2**22
# Part of the name of a shard; another one makes all shards new.
_VERSION = 1
# Height and width of a file, two whole numbers of 8 bytes, are behind the images of a shard.
_SIZE_BYTES = 16
# Rows of the annotations that are hashed, or written, at once, which bounds the memory.
_ROWS = 100_000
# Images that cannot be used, listed in a message.
_LISTED = 20


@dataclass(frozen=True)
class SplitSpec:
    """Specification of a split whose images are not decoded yet.

    Attributes:
        split: `train`, `validation` or `test`.
        source: Source of the dataset.
        drawn_from: Annotations that its rows were drawn from, `train`, `validation` or
            `test`.
        annotations: One row per image, columns `ANNOTATION_COLUMNS`.
        images: Folder of the image files.
        images_key: Identifier of the content of that folder, such as the hash of its archive.
        image: Shape of the model input, and which conversions are allowed.
        max_image_mb: Size in MiB above which an image is refused before it is decoded.
        drops_bad_images: Whether images that cannot be decoded are left out.
        shard_mb: Size of a file with images in MiB, at most.
        class_names: Name of each class, in the order of the labels.
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
    shard_mb: float = 256.0
    class_names: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return a digest; equal specs give equal stores."""
        digest = _annotation_digest(self.annotations)
        parts = [self.split, self.source, self.drawn_from, self.images_key, *self.class_names]
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


def decode_split(spec: SplitSpec, stores: Path) -> DecodedSplit:
    """Decode the images of a split, unless a store made from an equal spec exists.

    Args:
        spec: The split to decode.
        stores: Folder of the stores of all splits. A new store is written to its subfolder
            `.scratch`, where a later run finds what this run has finished if it is killed.

    Raises:
        ImageError: An image is missing, unreadable or has another shape.
    """
    scratch = stores / _SCRATCH / spec.split
    existing = sorted(stores.glob("[!.]*"))
    for folder in (*existing, scratch):
        if _is_made_from(spec, folder):
            return DecodedSplit(folder)
    write_store(spec, scratch, existing)
    return DecodedSplit(scratch)


def write_store(spec: SplitSpec, folder: Path, existing: Sequence[Path] = ()) -> None:
    """Decode the images of a split into a folder; the manifest, written last, completes it.

    A shard is named after what its images depend on. One that is in the folder or in an existing
    store is not decoded again, so a changed image makes one new shard.

    Args:
        spec: The split to decode.
        folder: Folder of the store; what it holds of other stores is removed.
        existing: Folders of other stores.

    Raises:
        ImageError: An image is missing, unreadable or has another shape.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove(folder / MANIFEST)
    annotations = spec.annotations[list(ANNOTATION_COLUMNS)].reset_index(drop=True)
    fingerprint = _annotation_digest(annotations)
    shards, bad = _write_shards(spec, folder, existing, fingerprint)
    sizes = _read_sizes(spec, folder, shards)
    annotations = annotations.drop(index=bad).reset_index(drop=True)
    if spec.image.letterbox:
        fingerprint.update(sizes.tobytes())
        annotations = _with_input_columns(annotations, sizes, spec.image)
    annotations.to_parquet(folder / ANNOTATIONS, index=False, row_group_size=_ROWS)
    metadata = SplitMetadata(
        split=spec.split,
        source=spec.source,
        drawn_from=spec.drawn_from,
        fingerprint=fingerprint.hexdigest(),
        spec_key=spec.key,
        shape=spec.image.shape,
        shards=tuple(shards),
        class_names=spec.class_names,
    )
    _remove_others(folder, {shard.file for shard in shards})
    write_json(folder / MANIFEST, asdict(metadata))


def _write_shards(
    spec: SplitSpec, folder: Path, existing: Sequence[Path], fingerprint: "hashlib._Hash"
) -> tuple[list[Shard], list[int]]:
    """Return the shards of a split, and the rows of images that cannot be used.

    The pixels are added to the fingerprint.
    """
    files = spec.annotations["file"]
    rows = max(1, int(spec.shard_mb * _MEBIBYTE) // int(np.prod(spec.image.shape)))
    shards: list[Shard] = []
    bad: dict[int, str] = {}
    for start in range(0, len(files), rows):
        # Only the names of one shard, because a list of millions needs much memory.
        names = files[start : start + rows].tolist()
        path = folder / f"{_shard_key(spec, names)}{SHARD_SUFFIX}"
        if any(_take(each / path.name, path, spec, names) for each in (folder, *existing)):
            _hash_pixels(spec, path, len(names), fingerprint)
        else:
            label = f"decode {spec.split}"
            if len(files) > rows:
                label += f" {start // rows + 1}/{-(-len(files) // rows)}"
            reasons = _write_shard(spec, path, names, label, fingerprint)
            bad |= {start + row: reason for row, reason in reasons.items()}
        size = path.stat().st_size
        images = (size - HEADER_BYTES) // (int(np.prod(spec.image.shape)) + _SIZE_BYTES)
        shards.append(Shard(path.name, images, size))
    if bad:
        _report_bad_images(spec, list(bad.values()), len(files))
    return shards, list(bad)


def _shard_key(spec: SplitSpec, names: Sequence[str]) -> str:
    """Return a digest of the settings, and of the names, sizes and times of the image files."""
    settings = json.dumps([_VERSION, spec.image.model_dump(), spec.max_image_mb])
    digest = hashlib.sha256(settings.encode())
    for name in names:
        try:
            state = (spec.images / name).stat()
        except OSError:
            state = None
        identity = f"{state.st_size}:{state.st_mtime_ns}" if state else "missing"
        digest.update(f"{name}\0{identity}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _take(source: Path, path: Path, spec: SplitSpec, names: Sequence[str]) -> bool:
    """Take a shard from another store, or from an earlier run; return whether it is complete."""
    expected = HEADER_BYTES + len(names) * (int(np.prod(spec.image.shape)) + _SIZE_BYTES)
    # A shard from which images were left out is decoded again, which lists them.
    if not source.is_file() or source.stat().st_size != expected:
        return False
    if source != path:
        with atomic_path(path) as temporary:
            try:
                os.link(source, temporary)
            except OSError:
                shutil.copyfile(source, temporary)
    return True


def _write_shard(
    spec: SplitSpec, path: Path, names: Sequence[str], label: str, fingerprint: "hashlib._Hash"
) -> dict[int, str]:
    """Decode images into a shard; return the rows that cannot be decoded with the reasons."""
    image, sizes, bad = spec.image, [], {}

    def read(name: str) -> tuple[npt.NDArray[np.uint8], tuple[int, ...]] | ImageError:
        try:
            header, pixels = read_image(spec.images / name, image, spec.max_image_mb)
        except ImageError as error:
            return error
        size = header.height, header.width
        return fit_into_input(pixels, image.height, image.width, image.background, size), size

    block = bytearray()
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        _write_header(file, (len(names), *image.shape))
        for row, result in enumerate(map_in_threads(read, names, label)):
            if isinstance(result, ImageError):
                bad[row] = str(result)
            else:
                block += result[0].tobytes()
                sizes.append(result[1])
            # Few large writes, because after each one the interpreter is busy with decoding.
            if len(block) >= _BLOCK or row == len(names) - 1:
                file.write(block)
                fingerprint.update(block)
                block.clear()
        file.write(np.array(sizes, dtype="<i8").tobytes())
        if bad:
            file.seek(0)
            _write_header(file, (len(sizes), *image.shape))
    return bad


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write the header of a NumPy file, so that `numpy.load` reads the images of a shard."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    if file.tell() != HEADER_BYTES:
        raise RuntimeError(f"the header of a NumPy file has {file.tell()} bytes")


def _hash_pixels(spec: SplitSpec, path: Path, images: int, fingerprint: "hashlib._Hash") -> None:
    """Add the pixels of an existing shard to the fingerprint."""
    with path.open("rb") as file:
        file.seek(HEADER_BYTES)
        remaining = images * int(np.prod(spec.image.shape))
        while block := file.read(min(_BLOCK, remaining)):
            fingerprint.update(block)
            remaining -= len(block)


def _read_sizes(spec: SplitSpec, folder: Path, shards: Sequence[Shard]) -> npt.NDArray[np.int64]:
    """Return height and width of each image file, `[n, 2]`, from the ends of the shards."""
    sizes = []
    for shard in shards:
        with (folder / shard.file).open("rb") as file:
            file.seek(HEADER_BYTES + shard.images * int(np.prod(spec.image.shape)))
            sizes.append(np.frombuffer(file.read(), dtype="<i8").reshape(-1, 2))
    return np.concatenate(sizes).astype(np.int64) if sizes else np.empty((0, 2), np.int64)


def _remove_others(folder: Path, files: set[str]) -> None:
    """Remove shards of earlier stores from a folder."""
    for path in folder.glob(f"*{SHARD_SUFFIX}"):
        if path.name not in files:
            with suppress(OSError):
                path.unlink()


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


def _annotation_digest(annotations: pd.DataFrame) -> "hashlib._Hash":
    """Return the hash of the rows as CSV, made in parts to bound the memory."""
    digest = hashlib.sha256()
    for start in range(0, max(1, len(annotations)), _ROWS):
        part = annotations[list(ANNOTATION_COLUMNS)][start : start + _ROWS]
        digest.update(part.to_csv(index=False, header=start == 0).encode())
    return digest
