"""Fetching, verifying and unpacking the raw files of a dataset."""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from mnist_localization.config.data import FetchSettings, NetworkSettings
from mnist_localization.data.dataset_card import DatasetCard, SplitFiles
from mnist_localization.data.sources.archives import DamagedArchiveError, unpack
from mnist_localization.data.sources.download import (
    Downloader,
    file_url,
    is_remote,
    local_path,
    public_url,
    source_identity,
)
from mnist_localization.data.sources.local_folder import fetch_local_folder
from mnist_localization.data.sources.source_folder import (
    MANIFEST,
    ExpectedHash,
    SourceFolder,
    file_entry,
)
from mnist_localization.data.sources.synthetic import make_dataset
from mnist_localization.errors import SourceError, UnreachableError
from mnist_localization.files import remove, require_free_space
from mnist_localization.storage import Store, is_stored

logger = logging.getLogger(__name__)

_IMAGES = "images"
# Upper limit of the compressed size of one synthetic image, in bytes.
_SYNTHETIC_IMAGE = 1536

_STAND_IN = """
***********************************************************************************
* THE PUBLISHED DATASET COULD NOT BE REACHED. This run continues with a SYNTHETIC *
* stand-in that is generated locally. Its scores are not those of the published   *
* dataset.                                                                        *
***********************************************************************************
  Reason: %s
  Remedy: run again with a network connection, or provide the four files:
          kedro run --params fetch.base_url=<folder or URL>
          To stop instead: --params fetch.on_unreachable=error"""


def fetch(settings: FetchSettings, raw_folder: Path, project_folder: Path) -> DatasetCard:
    """Fetch, verify and unpack the configured source into its own folder.

    Args:
        settings: Section `fetch`.
        raw_folder: Parent of the folders of all sources.
        project_folder: Base of relative paths in the section `fetch`.

    Returns:
        The description of the fetched files.

    Raises:
        UnreachableError: The source cannot be reached and `fetch.on_unreachable` is `error`.
        SourceError: A file does not exist or has a wrong hash.
        ArchiveError: An archive cannot be unpacked safely.
    """
    _validate_names(settings)
    if settings.base_url:
        return _fetch_base_url(settings, raw_folder, project_folder)
    if settings.source == "folder":
        return fetch_local_folder(settings, raw_folder, project_folder)
    if settings.source == "synthetic":
        return _make_synthetic(settings, raw_folder)
    try:
        return _fetch_upstream(settings, raw_folder)
    except UnreachableError as error:
        if settings.on_unreachable == "error":
            raise UnreachableError(
                f"{error}; download the files by other means and set fetch.base_url to their "
                "folder, or set fetch.on_unreachable=synthetic"
            ) from error
        logger.warning(_STAND_IN, error)
        card = _make_synthetic(settings, raw_folder)
        return card.model_copy(
            update={"requested_source": "upstream", "fallback_reason": str(error)}
        )


def _fetch_upstream(settings: FetchSettings, raw_folder: Path) -> DatasetCard:
    if not is_remote(settings.upstream.url):
        raise SourceError("fetch.upstream.url is not an http or https URL; set fetch.base_url")
    blob_ids = settings.upstream.blob_ids
    expected = {name: ExpectedHash(blob_ids[name], "git blob id") for name in settings.files.names}
    with SourceFolder(raw_folder / "upstream").locked(settings.network.reach_s) as folder:
        _download(settings.network, settings.upstream.url, expected, folder)
        return _unpack(settings, folder, "upstream")


def _fetch_base_url(settings: FetchSettings, raw_folder: Path, project_folder: Path) -> DatasetCard:
    base_url = settings.base_url
    expected = {name: ExpectedHash(settings.sha256.get(name, "")) for name in settings.files.names}
    in_store = is_stored(base_url)
    origin = None if in_store or is_remote(base_url) else local_path(base_url, project_folder)
    identity = source_identity(base_url) if origin is None else str(origin)
    shown = public_url(base_url) if origin is None else base_url
    source = SourceFolder.of(raw_folder, "base_url", identity)
    with source.locked(settings.network.reach_s) as folder:
        try:
            if in_store:
                _copy_objects(Store(base_url), expected, folder)
            elif origin is None:
                _download(settings.network, base_url, expected, folder)
            else:
                _copy(origin, expected, folder)
        except UnreachableError as error:
            raise UnreachableError(
                f"{error}; check fetch.base_url, then run the same command again"
            ) from error
        return _unpack(settings, folder, "base_url").model_copy(update={"base_url": shown})


def _make_synthetic(settings: FetchSettings, raw_folder: Path) -> DatasetCard:
    names, synthetic = settings.files.names, settings.synthetic
    facts = [synthetic.model_dump(), settings.files.model_dump()]
    source = SourceFolder.of(raw_folder, "synthetic", json.dumps(facts, sort_keys=True))
    with source.locked(settings.network.reach_s) as folder:
        if not all(folder.has(name, ExpectedHash()) for name in names):
            scratch = folder.path / ".scratch"
            remove(scratch)  # left by a killed run
            scratch.mkdir()
            try:
                size = (synthetic.train_images + synthetic.test_images) * _SYNTHETIC_IMAGE
                require_free_space(scratch, size, "make the synthetic dataset")
                make_dataset(synthetic, settings.files, scratch)
                for name in names:
                    folder.add(scratch / name, name)
            finally:
                remove(scratch)
        return _unpack(settings, folder, "synthetic").model_copy(update={"synthetic": synthetic})


def _download(
    settings: NetworkSettings,
    base_url: str,
    expected: Mapping[str, ExpectedHash],
    folder: SourceFolder,
) -> None:
    """Download each file of which the folder has no verified copy."""
    downloader = Downloader(settings)
    for name, expected_hash in expected.items():
        if folder.has(name, expected_hash):
            continue
        part = folder.path / f".{name}.part"
        url = file_url(base_url, name)
        was_resumed = part.exists()
        downloader.fetch(url, part, hash_known=expected_hash.value != "")
        if was_resumed and expected_hash.mismatch(part):
            # The part left by an earlier run may be wrong, so download the whole file.
            part.unlink()
            downloader.fetch(url, part, hash_known=True)
        expected_hash.verify(part, public_url(url))
        folder.add(part, name)


def _copy(origin: Path, expected: Mapping[str, ExpectedHash], folder: SourceFolder) -> None:
    """Copy each file of a local folder that has changed or has no verified copy."""
    for name, expected_hash in expected.items():
        path, has_copy = origin / name, folder.has(name, expected_hash)
        try:
            file = path.open("rb")
        except OSError as error:
            if isinstance(error, FileNotFoundError) and has_copy:
                logger.warning("%s does not exist any more; its verified copy is used.", path)
                continue
            raise UnreachableError(
                f"fetch.base_url: {path} cannot be read ({error.strerror}); the folder must "
                "directly contain the four files named in fetch.files"
            ) from error
        with file:
            state = os.fstat(file.fileno())
            stamp = f"{state.st_size}:{state.st_mtime_ns}"
            if has_copy and folder.stamp(name) == stamp:
                continue
            require_free_space(folder.path, state.st_size, f"copy {name}")
            logger.info("Copying %s", path)
            part = folder.path / f".{name}.part"
            with part.open("wb") as copy:
                shutil.copyfileobj(file, copy)
        expected_hash.verify(part, str(path))
        folder.add(part, name, stamp)


def _copy_objects(store: Store, expected: Mapping[str, ExpectedHash], folder: SourceFolder) -> None:
    """Copy each object of a store that has changed or has no verified copy."""
    for name, expected_hash in expected.items():
        tag = store.tag(name)
        if not tag:
            raise UnreachableError(
                f"fetch.base_url: {store.url}/{name} does not exist; the address must be that of "
                "the folder that directly contains the four files named in fetch.files"
            )
        if folder.has(name, expected_hash) and folder.stamp(name) == tag:
            continue
        logger.info("Copying %s/%s", store.url, name)
        part = folder.path / f".{name}.part"
        store.get(name, part)
        expected_hash.verify(part, f"{store.url}/{name}")
        folder.add(part, name, tag)


def _unpack(settings: FetchSettings, folder: SourceFolder, source: str) -> DatasetCard:
    """Unpack the archives of a source with four files, and describe the source."""
    names = settings.files
    files = {name: file_entry(folder.path / name) for name in names.names}
    splits, counts = {}, {}
    for split, archive, csv in (
        ("train", names.train_archive, names.train_csv),
        ("test", names.test_archive, names.test_csv),
    ):
        path, images = folder.path / archive, f"{_IMAGES}/{Path(archive).stem}"
        splits[split] = SplitFiles(annotations=csv, archive=archive, images=images)
        try:
            counts[split] = unpack(
                path, files[archive].sha256, folder.path / images, settings.unpack
            )
        except DamagedArchiveError:
            path.unlink()  # so that the next run fetches it again
            raise
    return folder.card(source, files, splits, counts)


def _validate_names(settings: FetchSettings) -> None:
    names = settings.files.names
    archives = settings.files.train_archive, settings.files.test_archive
    if len({name.casefold() for name in names}) != len(names):
        raise SourceError("fetch.files: the four names must differ; correct them")
    if len({Path(name).stem.casefold() for name in archives}) != len(archives):
        raise SourceError("fetch.files: the two archives must differ without their suffix")
    for name in names:
        if name.startswith(".") or name.casefold() in {_IMAGES, MANIFEST}:
            raise SourceError(f"fetch.files: {name!r} is reserved; use another name")
    unknown = sorted(set(settings.sha256) - set(names))
    if unknown:
        raise SourceError(
            f"fetch.sha256 names {', '.join(unknown)}, but the files are {', '.join(names)}"
        )
    missing = sorted(set(names) - set(settings.upstream.blob_ids))
    if missing and not settings.base_url and settings.source == "upstream":
        raise SourceError(f"fetch.upstream.blob_ids lacks {', '.join(missing)}; add them")
