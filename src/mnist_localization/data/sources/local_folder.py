"""A dataset of one's own: looked at where it lies, and never changed."""

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mnist_localization.config import FetchSettings, FolderSettings
from mnist_localization.data.dataset_card import DatasetCard, FileEntry, SplitFiles
from mnist_localization.data.images import SUFFIXES
from mnist_localization.data.sources.archives import unpack
from mnist_localization.data.sources.source_folder import SourceFolder
from mnist_localization.data.sources.verification import sha256_of
from mnist_localization.errors import SourceError

logger = logging.getLogger(__name__)


def fetch_folder(settings: FetchSettings, raw_folder: Path, project_folder: Path) -> DatasetCard:
    """The card of a dataset of one's own; archives are unpacked below the raw folder.

    Of folders, `files` holds the size of all files, and a hash of names, sizes and times.

    Args:
        settings: The section `fetch`, with the source `folder`.
        raw_folder: Parent of the folders of all sources.
        project_folder: Where a relative path starts.

    Returns:
        The dataset card; `test_images` is 0 where there is no test set.

    Raises:
        LocalizationError: Something configured does not exist, holds no image, or is no
            archive that can be unpacked.
    """
    own = settings.folder
    if not own.path:
        raise SourceError(
            "fetch.source is 'folder', but fetch.folder.path is empty; name the folder of the "
            "dataset: kedro run --params fetch.folder.path=<folder>"
        )
    root = (project_folder / Path(own.path).expanduser()).resolve()
    name = "folder-" + _digest(f"{root}\n{own.model_dump_json()}")
    files: dict[str, FileEntry] = {}
    splits: dict[str, SplitFiles] = {}
    counts = {"train": 0, "test": 0}
    with SourceFolder(raw_folder / name).locked(settings.network.reach_s) as folder:
        for split, images, annotations in _configured(own):
            found = _Images.at(root / images, images, folder, settings, split)
            said_in = _existing(root / annotations, f"fetch.folder.{split}_annotations")
            files |= {found.name: found.entry, annotations: _annotation_files(said_in)}
            counts[split] = found.count
            splits[split] = SplitFiles(
                annotations=_below(said_in, folder.path, own),
                archive=found.name,
                images=_below(found.folder, folder.path, own),
            )
    logger.info("Found %d training and %d test images in %s.", *counts.values(), own.path)
    return DatasetCard(
        source="folder",
        requested_source="folder",
        folder=name,
        files=files,
        splits=splits,
        train_images=counts["train"],
        test_images=counts["test"],
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class _Images:
    """The images of a split: name and entry in the card's files, folder, number."""

    name: str
    entry: FileEntry
    folder: Path
    count: int

    @classmethod
    def at(
        cls, path: Path, name: str, folder: SourceFolder, settings: FetchSettings, split: str
    ) -> "_Images":
        setting = f"fetch.folder.{split}_images"
        if _existing(path, setting).is_file():
            sha256 = sha256_of(path)
            target = folder.path / "images" / sha256[:16]
            target.parent.mkdir(exist_ok=True)
            count = unpack(path, sha256, target, settings.unpack)
            entry = FileEntry(size=path.stat().st_size, sha256=sha256)
            found = cls(name, entry, target, count)
        else:
            entry, count = _listing(path)
            found = cls(f"{name} (listing)", entry, path, count)
        if not found.count:
            raise SourceError(f"{path}: holds no image ({', '.join(SUFFIXES)}); correct {setting}")
        return found


def _configured(own: FolderSettings) -> Iterator[tuple[str, str, str]]:
    """Name, images and annotations of each split that there is."""
    yield "train", own.train_images, own.train_annotations
    if own.test_annotations:
        yield "test", own.test_images or own.train_images, own.test_annotations
    elif own.test_images:
        raise SourceError(
            "fetch.folder.test_images is set, but fetch.folder.test_annotations is empty; name "
            "the annotations of the test images, or unset both"
        )


def _existing(path: Path, setting: str) -> Path:
    if not path.exists():
        raise SourceError(f"{path}: does not exist; correct fetch.folder.path or {setting}")
    return path


def _annotation_files(path: Path) -> FileEntry:
    if path.is_file():
        return FileEntry(size=path.stat().st_size, sha256=sha256_of(path))
    return _listing(path)[0]


def _listing(folder: Path) -> tuple[FileEntry, int]:
    """Return total size and hash of a folder's listing, and the number of images in it."""
    digest, size, images = hashlib.sha256(), 0, 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        state = path.stat()
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="replace"))
        size += state.st_size
        images += path.suffix.lower() in SUFFIXES
    return FileEntry(size=size, sha256=digest.hexdigest()), images


def _below(path: Path, folder: Path, own: FolderSettings) -> str:
    """A path as it is joined to the source's folder: relative where the configuration is."""
    if Path(own.path).expanduser().is_absolute():
        return path.resolve().as_posix()
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
