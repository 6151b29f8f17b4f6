"""Bringing the four files of a source to disk, and unpacking them."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from mnist_localization.config import FetchSettings, UnpackSettings
from mnist_localization.data.dataset_card import DatasetCard, FileEntry, SplitFiles
from mnist_localization.data.sources.archives import DamagedArchiveError, unpack
from mnist_localization.data.sources.download import Downloader
from mnist_localization.data.sources.local_folder import fetch_folder
from mnist_localization.data.sources.source_folder import MANIFEST, SourceFolder
from mnist_localization.data.sources.synthetic import make_dataset
from mnist_localization.data.sources.urls import (
    file_url,
    identity_of,
    is_remote,
    local_folder,
    shown_url,
)
from mnist_localization.data.sources.verification import Expected, fault, require, sha256_of
from mnist_localization.errors import SourceError, UnreachableError
from mnist_localization.files import require_free_space

logger = logging.getLogger(__name__)

_IMAGES = "images"
_BLOCK = 2**20


def fetch(settings: FetchSettings, raw_folder: Path, project_folder: Path) -> DatasetCard:
    """Bring the configured source to disk: verified, unpacked, in a folder of its own.

    Args:
        settings: The section `fetch`.
        raw_folder: Parent of the folders of all sources.
        project_folder: Where a relative local base URL starts.

    Returns:
        The dataset card.

    Raises:
        UnreachableError: The source cannot be reached, and nothing may stand in for it.
        SourceError: A file is not to be had or not what it must be.
        ArchiveError: An archive is not fit to be unpacked.
    """
    _check_names(settings)
    if settings.source == "folder" and not settings.base_url:
        return fetch_folder(settings, raw_folder, project_folder)
    if settings.base_url:
        return _from_base_url(settings, raw_folder, project_folder)
    if settings.source == "synthetic":
        return _from_synthetic(settings, raw_folder)
    try:
        return _from_upstream(settings, raw_folder)
    except UnreachableError as error:
        if settings.on_unreachable == "error":
            raise UnreachableError(
                f"{error}. Bring the files yourself and name their folder by fetch.base_url, or "
                "set fetch.on_unreachable=synthetic."
            ) from error
        logger.warning(_STAND_IN, error)
        card = _from_synthetic(settings, raw_folder)
        return card.model_copy(
            update={"requested_source": "upstream", "fallback_reason": str(error)}
        )


# Bytes of an archive that one image takes at most: the digit itself does not shrink to more.
_SYNTHETIC_IMAGE = 1536

_STAND_IN = """
**********************************************************************************
* THE PUBLISHED DATASET COULD NOT BE REACHED. This run goes on with a SYNTHETIC  *
* stand-in, made locally: its scores are not those of the published dataset.     *
**********************************************************************************
  Why:    %s
  Remedy: run again with a network; or name a folder or URL that holds the four
          files: kedro run --params fetch.base_url=<folder or URL>; or make this an
          error: --params fetch.on_unreachable=error"""


def _from_upstream(settings: FetchSettings, raw_folder: Path) -> DatasetCard:
    if not is_remote(settings.upstream.url):
        raise SourceError("fetch.upstream.url is no http or https URL; set fetch.base_url instead")
    downloader = Downloader(settings.network)

    def bring(folder: SourceFolder) -> None:
        for name in settings.files.names:
            expected = Expected(blob_id=settings.upstream.blob_ids[name])
            if not folder.holds(name, expected):
                _download(downloader, settings.upstream.url, name, expected, folder)

    return _card(settings, raw_folder, "upstream", "", "upstream", bring)


def _from_base_url(settings: FetchSettings, raw_folder: Path, project_folder: Path) -> DatasetCard:
    base_url = settings.base_url
    origin = None if is_remote(base_url) else local_folder(base_url, project_folder)
    identity = identity_of(base_url) if origin is None else str(origin)
    shown = shown_url(base_url) if origin is None else base_url
    downloader = Downloader(settings.network)

    def bring(folder: SourceFolder) -> None:
        for name in settings.files.names:
            expected = Expected(sha256=settings.sha256.get(name, ""))
            if origin is not None:
                _copy(origin / name, name, expected, folder)
            elif not folder.holds(name, expected, recorded=True):
                _download(downloader, base_url, name, expected, folder)

    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    try:
        return _card(settings, raw_folder, "base_url", shown, f"base_url-{digest}", bring)
    except UnreachableError as error:
        raise UnreachableError(
            f"{error}. Check fetch.base_url and what it leads to, and run the same command again."
        ) from error


def _from_synthetic(settings: FetchSettings, raw_folder: Path) -> DatasetCard:
    said = [settings.synthetic.model_dump(), settings.files.model_dump()]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:8]

    def bring(folder: SourceFolder) -> None:
        names = settings.files.names
        if all(folder.holds(name, Expected(), recorded=True) for name in names):
            return
        with folder.workshop() as workshop:
            images = settings.synthetic.train_images + settings.synthetic.test_images
            require_free_space(workshop, images * _SYNTHETIC_IMAGE, "make the synthetic dataset")
            make_dataset(settings.synthetic, settings.files, workshop)
            for name in names:
                folder.take_in(workshop / name, name)

    card = _card(settings, raw_folder, "synthetic", "", f"synthetic-{digest}", bring)
    return card.model_copy(update={"synthetic": settings.synthetic})


def _card(
    settings: FetchSettings,
    raw_folder: Path,
    source: str,
    base_url: str,
    folder_name: str,
    bring: Callable[[SourceFolder], None],
) -> DatasetCard:
    """Bring the files, unpack them, and say what is there."""
    files = settings.files
    with SourceFolder(raw_folder / folder_name).locked(settings.network.reach_s) as folder:
        bring(folder)
        found = {
            name: FileEntry(
                size=folder.file(name).stat().st_size, sha256=sha256_of(folder.file(name))
            )
            for name in files.names
        }
        counts, splits = {}, {}
        for split, archive, csv in (
            ("train", files.train_archive, files.train_csv),
            ("test", files.test_archive, files.test_csv),
        ):
            images = f"{_IMAGES}/{Path(archive).stem}"
            sha256 = found[archive].sha256
            counts[split] = _unpack(folder, archive, sha256, images, settings.unpack)
            splits[split] = SplitFiles(annotations=csv, archive=archive, images=images)
    logger.info(
        "Fetched %s: %d training and %d test images in %s.",
        source,
        counts["train"],
        counts["test"],
        f"{raw_folder.name}/{folder_name}",
    )
    return DatasetCard(
        source=source,
        base_url=base_url,
        requested_source=source,
        folder=folder_name,
        files=found,
        splits=splits,
        train_images=counts["train"],
        test_images=counts["test"],
    )


def _unpack(
    folder: SourceFolder, archive: str, sha256: str, images: str, limits: UnpackSettings
) -> int:
    target = folder.path / images
    target.parent.mkdir(exist_ok=True)
    try:
        return unpack(folder.file(archive), sha256, target, limits)
    except DamagedArchiveError:
        folder.forget(archive)
        raise


def _download(
    downloader: Downloader, base_url: str, name: str, expected: Expected, folder: SourceFolder
) -> None:
    part = folder.path / f".{name}.part"
    url = file_url(base_url, name)
    went_on = part.exists()
    downloader.fetch(url, part, hash_known=expected != Expected())
    if went_on and fault(part, expected):
        # The part that an earlier run left may be what is wrong.
        part.unlink()
        downloader.fetch(url, part, hash_known=True)
    require(part, shown_url(url), expected)
    folder.take_in(part, name)


def _copy(origin: Path, name: str, expected: Expected, folder: SourceFolder) -> None:
    """Copy a file of a local folder, unless the copy that is there is of the same file."""
    try:
        file = origin.open("rb")
    except OSError as error:
        if isinstance(error, FileNotFoundError) and folder.holds(name, expected, recorded=True):
            logger.warning("%s is not there any more; its verified copy is used.", origin)
            return
        raise UnreachableError(
            f"fetch.base_url: {origin} cannot be read ({error.strerror}); the folder must "
            "directly hold the four files named in fetch.files"
        ) from error
    with file:
        state = os.fstat(file.fileno())
        stamp = f"{state.st_size}:{state.st_mtime_ns}"
        if folder.stamp(name) == stamp and folder.holds(name, expected, recorded=True):
            return
        require_free_space(folder.path, state.st_size, f"copy {name}")
        logger.info("Copying %s", origin)
        part = folder.path / f".{name}.part"
        with part.open("wb") as copy:
            shutil.copyfileobj(file, copy, _BLOCK)
    require(part, str(origin), expected)
    folder.take_in(part, name, stamp)


def _check_names(settings: FetchSettings) -> None:
    names = settings.files.names
    archives = settings.files.train_archive, settings.files.test_archive
    if len({name.casefold() for name in names}) != len(names):
        raise SourceError("fetch.files: the four names must differ")
    if len({Path(name).stem.casefold() for name in archives}) != len(archives):
        raise SourceError("fetch.files: the two archives must differ, also without their suffix")
    for name in names:
        if name.startswith(".") or name.casefold() in {_IMAGES, MANIFEST}:
            raise SourceError(f"fetch.files: {name!r} is kept for the project's own use")
    unknown = sorted(set(settings.sha256) - set(names))
    if unknown:
        raise SourceError(
            f"fetch.sha256 names {', '.join(unknown)}, but the files are {', '.join(names)}"
        )
    missing = sorted(set(names) - set(settings.upstream.blob_ids))
    if missing and not settings.base_url and settings.source == "upstream":
        raise SourceError(f"fetch.upstream.blob_ids lacks {', '.join(missing)}; add them")
