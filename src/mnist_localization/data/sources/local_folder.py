"""Images and annotations of the user: never changed, and read in place if they are local."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from mnist_localization.config.data import FetchSettings, FolderSettings
from mnist_localization.data.dataset_card import DatasetCard, FileEntry, SplitFiles
from mnist_localization.data.images.decode import SUFFIXES, has_image_suffix
from mnist_localization.data.sources.archives import unpack
from mnist_localization.data.sources.source_folder import SourceFolder, file_entry
from mnist_localization.errors import SourceError
from mnist_localization.files import files_below
from mnist_localization.storage import Store, is_stored


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
        The description of the dataset.

    Raises:
        LocalizationError: A configured path does not exist, contains no images, or is not an
            archive that can be unpacked.
    """
    own = settings.folder
    is_remote = is_stored(own.path)
    root = _root(own, project_folder)
    files: dict[str, FileEntry] = {}
    splits: dict[str, SplitFiles] = {}
    counts: dict[str, int] = {}
    identity = f"{own.path if is_remote else root}\n{own.model_dump_json()}"
    source = SourceFolder.of(raw_folder, "folder", identity)
    with source.locked(settings.network.reach_s) as folder:
        if is_remote:
            root = folder.path / "files"
            Store(own.path).mirror(root)
        for split, images, annotations in _configured_splits(own):
            path = _existing(root / images, f"fetch.folder.{split}_images")
            rows = _existing(root / annotations, f"fetch.folder.{split}_annotations")
            archive = images if path.is_file() else f"{images} (listing)"
            files |= {archive: _entry(path), annotations: _entry(rows)}
            if path.is_file():
                sha256 = files[archive].sha256
                target = folder.path / "images" / sha256[:16]
                unpack(path, sha256, target, settings.unpack)
                path = target
            counts[split] = _count_images(path, f"fetch.folder.{split}_images")
            splits[split] = SplitFiles(
                annotations=_card_path(rows, folder.path, own),
                archive=archive,
                images=_card_path(path, folder.path, own),
            )
        card_root = _card_path(root, folder.path, own)
    return source.card("folder", files, splits, counts).model_copy(
        update={"root_folder": card_root}
    )


def _root(own: FolderSettings, project_folder: Path) -> Path:
    if not own.path:
        raise SourceError(
            "fetch.source is 'folder', but fetch.folder.path is empty; set it to the folder of the "
            "dataset: kedro run --params fetch.folder.path=<folder>"
        )
    return (project_folder / Path(own.path).expanduser()).resolve()


def _configured_splits(own: FolderSettings) -> Iterator[tuple[str, str, str]]:
    """Yield name, images and annotations of each configured split."""
    yield "train", own.train_images, own.train_annotations
    optional = {
        "validation": (own.validation_images, own.validation_annotations),
        "test": (own.test_images, own.test_annotations),
    }
    for split, (images, annotations) in optional.items():
        if annotations:
            yield split, images or own.train_images, annotations
        elif images:
            raise SourceError(
                f"fetch.folder.{split}_images is set, but fetch.folder.{split}_annotations is "
                f"empty; set it to the annotations of the {split} images, or remove both"
            )


def _count_images(folder: Path, setting: str) -> int:
    count = sum(map(has_image_suffix, files_below(folder)))
    if not count:
        raise SourceError(f"{folder} contains no images ({', '.join(SUFFIXES)}); correct {setting}")
    return count


def _existing(path: Path, setting: str) -> Path:
    if not path.exists():
        raise SourceError(f"{path}: does not exist; correct fetch.folder.path or {setting}")
    return path


def _entry(path: Path) -> FileEntry:
    """Return size and hash of a file, or of the listing of a folder."""
    if path.is_file():
        return file_entry(path)
    digest, size = hashlib.sha256(), 0
    for name in sorted(files_below(path)):
        state = (path / name).stat()
        digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="replace"))
        size += state.st_size
    return FileEntry(size=size, sha256=digest.hexdigest())


def _card_path(path: Path, folder: Path, own: FolderSettings) -> str:
    """Return a path relative to the source's folder, if the configured path is relative."""
    if Path(own.path).expanduser().is_absolute():
        return path.resolve().as_posix()
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
