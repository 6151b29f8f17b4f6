"""Images and annotations of the user, read in place and never changed."""

import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mnist_localization.config.data import FetchSettings, FolderSettings
from mnist_localization.data.dataset_card import DatasetCard, FileEntry, SplitFiles
from mnist_localization.data.images.decode import SUFFIXES
from mnist_localization.data.sources.archives import unpack
from mnist_localization.data.sources.source_folder import SourceFolder, file_entry
from mnist_localization.errors import SourceError

logger = logging.getLogger(__name__)


class _Images(NamedTuple):
    """Images of a split: name and entry in the card's files, folder, number of images."""

    name: str
    entry: FileEntry
    folder: Path
    images: int


def fetch_local_folder(
    settings: FetchSettings, raw_folder: Path, project_folder: Path
) -> DatasetCard:
    """Describe a dataset in a local folder; archives are unpacked below the raw folder.

    For a folder, `files` contains the total size and a hash of names, sizes and times.

    Args:
        settings: Section `fetch` with the source `folder`.
        raw_folder: Parent of the folders of all sources.
        project_folder: Base of a relative path.

    Returns:
        The description of the dataset; `test_images` is 0 without a test set.

    Raises:
        LocalizationError: A configured path does not exist, contains no images, or is not an
            archive that can be unpacked.
    """
    own = settings.folder
    if not own.path:
        raise SourceError(
            "fetch.source is 'folder', but fetch.folder.path is empty; set it to the folder of the "
            "dataset: kedro run --params fetch.folder.path=<folder>"
        )
    root = (project_folder / Path(own.path).expanduser()).resolve()
    identity = hashlib.sha256(f"{root}\n{own.model_dump_json()}".encode()).hexdigest()
    files: dict[str, FileEntry] = {}
    splits: dict[str, SplitFiles] = {}
    counts = {"train": 0, "test": 0}
    with SourceFolder(raw_folder / f"folder-{identity[:8]}").locked(
        settings.network.reach_s
    ) as folder:
        for split, images, annotations in _configured_splits(own):
            found = _find_images(root / images, images, folder, settings, split)
            path = _existing(root / annotations, f"fetch.folder.{split}_annotations")
            entry = file_entry(path) if path.is_file() else _list_folder(path)[0]
            files |= {found.name: found.entry, annotations: entry}
            counts[split] = found.images
            splits[split] = SplitFiles(
                annotations=_card_path(path, folder.path, own),
                archive=found.name,
                images=_card_path(found.folder, folder.path, own),
            )
    logger.info("Found %d training and %d test images in %s", *counts.values(), own.path)
    return DatasetCard(
        source="folder",
        requested_source="folder",
        folder=folder.path.name,
        files=files,
        splits=splits,
        train_images=counts["train"],
        test_images=counts["test"],
    )


def _configured_splits(own: FolderSettings) -> Iterator[tuple[str, str, str]]:
    """Yield name, images and annotations of each configured split."""
    yield "train", own.train_images, own.train_annotations
    if own.test_annotations:
        yield "test", own.test_images or own.train_images, own.test_annotations
    elif own.test_images:
        raise SourceError(
            "fetch.folder.test_images is set, but fetch.folder.test_annotations is empty; set it "
            "to the annotations of the test images, or remove both"
        )


def _find_images(
    path: Path, name: str, folder: SourceFolder, settings: FetchSettings, split: str
) -> _Images:
    setting = f"fetch.folder.{split}_images"
    if _existing(path, setting).is_file():
        entry = file_entry(path)
        target = folder.path / "images" / entry.sha256[:16]
        target.parent.mkdir(exist_ok=True)
        found = _Images(name, entry, target, unpack(path, entry.sha256, target, settings.unpack))
    else:
        entry, count = _list_folder(path)
        found = _Images(f"{name} (listing)", entry, path, count)
    if not found.images:
        raise SourceError(f"{path} contains no images ({', '.join(SUFFIXES)}); correct {setting}")
    return found


def _existing(path: Path, setting: str) -> Path:
    if not path.exists():
        raise SourceError(f"{path} does not exist; correct fetch.folder.path or {setting}")
    return path


def _list_folder(folder: Path) -> tuple[FileEntry, int]:
    """Return total size and hash of a folder's listing, and the number of images in it."""
    digest, size, images = hashlib.sha256(), 0, 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        state = path.stat()
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="replace"))
        size += state.st_size
        images += path.suffix.lower() in SUFFIXES
    return FileEntry(size=size, sha256=digest.hexdigest()), images


def _card_path(path: Path, folder: Path, own: FolderSettings) -> str:
    """Return a path relative to the source's folder, if the configured path is relative."""
    if Path(own.path).expanduser().is_absolute():
        return path.resolve().as_posix()
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
