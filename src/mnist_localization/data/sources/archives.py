"""Unpacking zip archives that are not trusted."""

import errno
import json
import logging
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from mnist_localization.config import UnpackSettings
from mnist_localization.data.images import SUFFIXES
from mnist_localization.errors import ArchiveError
from mnist_localization.files import require_free_space, rounded_to_blocks

logger = logging.getLogger(__name__)

_MEBIBYTE = 2**20
_BLOCK = 2**16
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What Python's zip reader raises of an altered archive: the last one where its bytes ask for a
# version of the format, or a feature of it, that the reader does not have.
_DAMAGED = (zipfile.BadZipFile, EOFError, zlib.error, ValueError, NotImplementedError)


class DamagedArchiveError(ArchiveError):
    """The bytes are no whole zip archive; another copy may be."""


@dataclass(frozen=True)
class _Member:
    info: zipfile.ZipInfo
    path: PurePosixPath


@dataclass(frozen=True)
class _Content:
    """What a folder holds, as far as names and sizes tell."""

    files: int
    bytes: int
    images: int


def unpack(archive: Path, sha256: str, folder: Path, limits: UnpackSettings) -> int:
    """Unpack an archive into a folder, made beside and renamed when it is whole.

    A folder that every member shares is left out of the paths. A folder that was unpacked
    from the same archive is kept as it is, while the number and size of its files are right.

    Args:
        archive: The zip file.
        sha256: Its hash.
        folder: Where its members shall stand; what stood there is replaced.
        limits: What it may hold at most.

    Returns:
        The number of images among its members.

    Raises:
        DamagedArchiveError: The archive is truncated or altered; nothing is left behind.
        ArchiveError: The archive is encrypted or too large, or a member of it leaves the
            folder; nothing is left behind. Names archive and member.
        SourceError: There is too little room on the disk.
    """
    marker = folder.with_name(f"{folder.name}.json")
    images = _unpacked_before(marker, sha256, folder)
    if images is not None:
        return images
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as source:
            members = _checked_members(archive, source, limits)
            needed = sum(rounded_to_blocks(member.info.file_size) for member in members)
            require_free_space(archive.parent, needed, f"unpack {archive.name}")
            logger.info("Unpacking %s: %d files", archive.name, len(members))
            beside.mkdir(parents=True)
            _write(archive, source, members, beside, limits)
    except _DAMAGED as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise DamagedArchiveError(
            f"{archive}: the archive is damaged ({error}); look at the source's own copy, then "
            "run the same command again"
        ) from error
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return _put_in_place(beside, folder, marker, sha256)


def _put_in_place(beside: Path, folder: Path, marker: Path, sha256: str) -> int:
    """Rename what is whole; the marker, which makes it count, goes first and comes last."""
    content = _content(beside)
    marker.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)
    temporary = marker.with_name(f".{marker.name}.part")
    temporary.write_text(json.dumps({"sha256": sha256} | asdict(content)), "utf-8")
    temporary.replace(marker)
    return content.images


def _unpacked_before(marker: Path, sha256: str, folder: Path) -> int | None:
    try:
        written = json.loads(marker.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    content = _content(folder)
    return content.images if written == {"sha256": sha256} | asdict(content) else None


def _content(folder: Path) -> _Content:
    files = size = images = 0
    folders = [str(folder)] if folder.is_dir() else []
    # Not `Path.rglob`: it takes seconds for as many files as the published dataset has.
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    continue
                files += 1
                size += entry.stat(follow_symlinks=False).st_size
                images += PurePosixPath(entry.name).suffix.lower() in SUFFIXES
    return _Content(files, size, images)


def _checked_members(
    archive: Path, source: zipfile.ZipFile, limits: UnpackSettings
) -> list[_Member]:
    """The files of an archive, once its directory is fit to be followed."""
    members = [
        _Member(info, _safe_path(archive, info))
        for info in source.infolist()
        if not _is_litter(info.filename)
    ]
    members = [member for member in members if not member.info.is_dir()]
    if not members:
        raise ArchiveError(f"{archive}: the archive holds no files; check the source")
    _require_limits(archive, members, limits)
    members = _without_shared_folder(members)
    seen: set[str] = set()
    for member in members:
        # Names that differ in case alone are one file on Windows and macOS.
        name = str(member.path).casefold()
        if name in seen:
            raise ArchiveError(
                f"{archive}: two members are named {member.info.filename!r}, letter case aside; "
                "bring an archive in which each has a name of its own"
            )
        seen.add(name)
    return members


def _require_limits(archive: Path, members: Sequence[_Member], limits: UnpackSettings) -> None:
    packed = max(archive.stat().st_size, 1)
    total = sum(member.info.file_size for member in members)
    largest = max(members, key=lambda member: member.info.file_size)
    size = largest.info.file_size
    for excess, what, limit in (
        (len(members) > limits.max_files, f"{len(members):,} members", "max_files"),
        (
            total > limits.max_total_mb * _MEBIBYTE,
            f"{total / _MEBIBYTE:,.0f} MiB unpacked",
            "max_total_mb",
        ),
        (
            size > limits.max_file_mb * _MEBIBYTE,
            f"the member {largest.info.filename!r} of {size / _MEBIBYTE:,.0f} MiB",
            "max_file_mb",
        ),
        (
            total > limits.max_ratio * packed,
            f"unpacked {total / packed:,.0f} times as large",
            "max_ratio",
        ),
    ):
        if excess:
            raise ArchiveError(
                f"{archive}: {what}, more than fetch.unpack.{limit} = "
                f"{getattr(limits, limit):g}; raise it only if you trust the archive"
            )


def _safe_path(archive: Path, info: zipfile.ZipInfo) -> PurePosixPath:
    name = info.orig_filename
    path = PurePosixPath(name)
    if (
        "\0" in name
        or "\\" in name
        or not path.parts
        or ":" in path.parts[0]
        or path.is_absolute()
        or ".." in path.parts
    ):
        raise ArchiveError(
            f"{archive}: the member {name!r} would leave the folder; do not trust this archive"
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        raise ArchiveError(
            f"{archive}: the member {name!r} is a link or device, not a file; do not trust this "
            "archive"
        )
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"{archive}: the member {name!r} is encrypted; bring an open archive")
    if info.compress_type not in _METHODS:
        raise ArchiveError(
            f"{archive}: the member {name!r} is packed by a method other than store and deflate; "
            "pack the archive again"
        )
    return path


def _is_litter(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or (bool(parts) and parts[-1] in {".DS_Store", "Thumbs.db"})


def _without_shared_folder(members: Sequence[_Member]) -> list[_Member]:
    tops = {member.path.parts[0] for member in members}
    if len(tops) > 1 or any(len(member.path.parts) == 1 for member in members):
        return list(members)
    return [_Member(member.info, PurePosixPath(*member.path.parts[1:])) for member in members]


def _write(
    archive: Path,
    source: zipfile.ZipFile,
    members: Sequence[_Member],
    folder: Path,
    limits: UnpackSettings,
) -> None:
    """Write the members, counting real bytes: what the directory says may be a lie."""
    left = int(limits.max_total_mb * _MEBIBYTE)
    for member in tqdm(members, desc=f"unpack {archive.name}", unit="file", disable=None):
        most = min(member.info.file_size, left)
        try:
            written = _write_member(source, member, folder, most)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise ArchiveError(
                f"{archive}: the member {member.info.filename!r} cannot be written "
                f"({error.strerror}); pack the archive again, with plain short names"
            ) from error
        if written != member.info.file_size:
            raise ArchiveError(
                f"{archive}: the member {member.info.filename!r} is not as long as the archive's "
                "directory says; do not trust this archive"
            )
        left -= written


def _write_member(source: zipfile.ZipFile, member: _Member, folder: Path, most: int) -> int:
    """Write one member, at most one block beyond what it may hold."""
    path = folder / member.path
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with source.open(member.info) as packed, path.open("xb") as file:
        while written <= most and (block := packed.read(_BLOCK)):
            file.write(block)
            written += len(block)
    return written
