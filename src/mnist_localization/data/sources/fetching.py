"""Fetching, verifying and unpacking the raw files of a dataset."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from mnist_localization.config.data import FetchSettings
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
from mnist_localization.files import require_free_space

logger = logging.getLogger(__name__)

_IMAGES = "images"
_BLOCK = 2**20
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
    url = settings.upstream.url
    if not is_remote(url):
        raise SourceError("fetch.upstream.url is not an http or https URL; set fetch.base_url")
    downloader = Downloader(settings.network)

    def provide(folder: SourceFolder) -> None:
        for name in settings.files.names:
            expected = ExpectedHash(blob_id=settings.upstream.blob_ids[name])
            if not folder.has(name, expected):
                _download(downloader, url, name, expected, folder)

    return _fetch_files(settings, raw_folder / "upstream", "upstream", provide)


def _fetch_base_url(settings: FetchSettings, raw_folder: Path, project_folder: Path) -> DatasetCard:
    base_url = settings.base_url
    origin = None if is_remote(base_url) else local_path(base_url, project_folder)
    identity = source_identity(base_url) if origin is None else str(origin)
    shown = public_url(base_url) if origin is None else base_url
    downloader = Downloader(settings.network)

    def provide(folder: SourceFolder) -> None:
        for name in settings.files.names:
            expected = ExpectedHash(sha256=settings.sha256.get(name, ""))
            if origin is not None:
                _copy(origin / name, name, expected, folder)
            elif not folder.has(name, expected, recorded=True):
                _download(downloader, base_url, name, expected, folder)

    folder = raw_folder / f"base_url-{_short_digest(identity)}"
    try:
        card = _fetch_files(settings, folder, "base_url", provide)
    except UnreachableError as error:
        raise UnreachableError(
            f"{error}; check fetch.base_url, then run the same command again"
        ) from error
    return card.model_copy(update={"base_url": shown})


def _make_synthetic(settings: FetchSettings, raw_folder: Path) -> DatasetCard:
    names = settings.files.names
    facts = [settings.synthetic.model_dump(), settings.files.model_dump()]

    def provide(folder: SourceFolder) -> None:
        if all(folder.has(name, ExpectedHash(), recorded=True) for name in names):
            return
        with folder.scratch() as scratch:
            images = settings.synthetic.train_images + settings.synthetic.test_images
            require_free_space(scratch, images * _SYNTHETIC_IMAGE, "make the synthetic dataset")
            make_dataset(settings.synthetic, settings.files, scratch)
            for name in names:
                folder.add(scratch / name, name)

    folder = raw_folder / f"synthetic-{_short_digest(json.dumps(facts, sort_keys=True))}"
    card = _fetch_files(settings, folder, "synthetic", provide)
    return card.model_copy(update={"synthetic": settings.synthetic})


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _fetch_files(
    settings: FetchSettings, path: Path, source: str, provide: Callable[[SourceFolder], None]
) -> DatasetCard:
    """Provide the four files in the folder of a source, unpack them and describe them."""
    names = settings.files
    with SourceFolder(path).locked(settings.network.reach_s) as folder:
        provide(folder)
        files = {name: file_entry(folder.file(name)) for name in names.names}
        splits = {
            split: SplitFiles(
                annotations=csv, archive=archive, images=f"{_IMAGES}/{Path(archive).stem}"
            )
            for split, archive, csv in (
                ("train", names.train_archive, names.train_csv),
                ("test", names.test_archive, names.test_csv),
            )
        }
        counts = {
            split: _unpack(settings, folder, files[at.archive].sha256, at)
            for split, at in splits.items()
        }
    logger.info(
        "Fetched %s: %d training and %d test images in %s",
        source,
        counts["train"],
        counts["test"],
        f"{path.parent.name}/{path.name}",
    )
    return DatasetCard(
        source=source,
        requested_source=source,
        folder=path.name,
        files=files,
        splits=splits,
        train_images=counts["train"],
        test_images=counts["test"],
    )


def _unpack(settings: FetchSettings, folder: SourceFolder, sha256: str, at: SplitFiles) -> int:
    images = folder.file(at.images)
    images.parent.mkdir(exist_ok=True)
    try:
        return unpack(folder.file(at.archive), sha256, images, settings.unpack)
    except DamagedArchiveError:
        folder.discard(at.archive)
        raise


def _download(
    downloader: Downloader, base_url: str, name: str, expected: ExpectedHash, folder: SourceFolder
) -> None:
    part = folder.file(f".{name}.part")
    url = file_url(base_url, name)
    was_resumed = part.exists()
    downloader.fetch(url, part, hash_known=expected.is_known)
    if was_resumed and expected.mismatch(part):
        # The part left by an earlier run may be wrong, so download the whole file.
        part.unlink()
        downloader.fetch(url, part, hash_known=True)
    expected.verify(part, public_url(url))
    folder.add(part, name)


def _copy(origin: Path, name: str, expected: ExpectedHash, folder: SourceFolder) -> None:
    """Copy a local file unless the folder has a verified copy of it."""
    try:
        file = origin.open("rb")
    except OSError as error:
        if isinstance(error, FileNotFoundError) and folder.has(name, expected, recorded=True):
            logger.warning("%s does not exist any more; its verified copy is used.", origin)
            return
        raise UnreachableError(
            f"fetch.base_url: {origin} cannot be read ({error.strerror}); the folder must "
            "directly contain the four files named in fetch.files"
        ) from error
    with file:
        state = os.fstat(file.fileno())
        stamp = f"{state.st_size}:{state.st_mtime_ns}"
        if folder.stamp(name) == stamp and folder.has(name, expected, recorded=True):
            return
        require_free_space(folder.path, state.st_size, f"copy {name}")
        logger.info("Copying %s", origin)
        part = folder.file(f".{name}.part")
        with part.open("wb") as copy:
            shutil.copyfileobj(file, copy, _BLOCK)
    expected.verify(part, str(origin))
    folder.add(part, name, stamp)


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
