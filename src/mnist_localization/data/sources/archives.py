"""Safe unpacking of untrusted zip archives."""

import errno
import json
import logging
import os
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tqdm import tqdm

from mnist_localization.config.data import UnpackSettings
from mnist_localization.data.images.decode import SUFFIXES
from mnist_localization.errors import ArchiveError
from mnist_localization.files import (
    remove,
    replace_folder,
    require_free_space,
    rounded_to_blocks,
    write_json,
)

logger = logging.getLogger(__name__)

_MEBIBYTE = 2**20
_BLOCK = 2**16
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Exceptions of Python's zip reader on an altered archive. NotImplementedError is raised if the
# altered bytes request a version or feature of the format that the reader does not support.
_DAMAGED = (zipfile.BadZipFile, EOFError, zlib.error, ValueError, NotImplementedError)


class DamagedArchiveError(ArchiveError):
    """An archive that is truncated or altered; another copy of it may be intact."""


class _Member(NamedTuple):
    info: zipfile.ZipInfo
    path: PurePosixPath


class _FolderSummary(NamedTuple):
    """Number and total size of the files below a folder, and the number of images."""

    files: int
    bytes: int
    images: int


def unpack(archive: Path, sha256: str, folder: Path, limits: UnpackSettings) -> int:
    """Unpack an archive into a folder, atomically.

    A top-level folder shared by all members is removed from their paths. A folder unpacked
    from the same archive before is kept if the number and the size of its files are unchanged.

    Args:
        archive: Zip file.
        sha256: Hash of the archive.
        folder: Destination, which is replaced.
        limits: Upper limits on number, size and compression ratio of the members.

    Returns:
        The number of images in the archive.

    Raises:
        DamagedArchiveError: The archive is truncated or altered. Nothing is left behind.
        ArchiveError: The archive is encrypted or too large, or a member would be written outside
            the folder. Nothing is left behind. The message names the archive and the member.
        DiskSpaceError: The disk has too little free space.
    """
    marker = folder.with_name(f"{folder.name}.json")
    if _is_unpacked(marker, sha256, folder):
        return _summarize(folder).images
    temporary = folder.with_name(f".{folder.name}.part")
    remove(temporary)  # left by a killed run
    try:
        with zipfile.ZipFile(archive) as source:
            members = _validated_members(archive, source, limits)
            needed = sum(rounded_to_blocks(member.info.file_size) for member in members)
            require_free_space(archive.parent, needed, f"unpack {archive.name}")
            logger.info("Unpacking %s: %d files", archive.name, len(members))
            temporary.mkdir(parents=True)
            _write(archive, source, members, temporary, limits)
        summary = _summarize(temporary)
        # The marker makes the folder valid, so it is removed first and written last.
        marker.unlink(missing_ok=True)
        replace_folder(temporary, folder)
        write_json(marker, {"sha256": sha256, **summary._asdict()})
    except _DAMAGED as error:
        raise DamagedArchiveError(
            f"{archive}: the archive is damaged ({error}); check the copy of the source, then "
            "run the same command again"
        ) from error
    finally:
        remove(temporary)
    return summary.images


def _is_unpacked(marker: Path, sha256: str, folder: Path) -> bool:
    try:
        recorded = json.loads(marker.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(recorded == {"sha256": sha256, **_summarize(folder)._asdict()})


def _summarize(folder: Path) -> _FolderSummary:
    files = size = images = 0
    for parent, _, names in os.walk(folder):
        files += len(names)
        size += sum(Path(parent, name).lstat().st_size for name in names)
        images += sum(name.lower().endswith(SUFFIXES) for name in names)
    return _FolderSummary(files, size, images)


def _validated_members(
    archive: Path, source: zipfile.ZipFile, limits: UnpackSettings
) -> list[_Member]:
    infos = [info for info in source.infolist() if not _is_system_file(info.filename)]
    members = [_Member(info, _safe_path(archive, info)) for info in infos]
    members = [member for member in members if not member.info.is_dir()]
    if not members:
        raise ArchiveError(f"{archive}: the archive contains no files; check the source")
    _require_limits(archive, members, limits)
    members = _without_shared_folder(members)
    seen: set[str] = set()
    for member in members:
        # Names that differ only in case are one file on Windows and macOS.
        name = str(member.path).casefold()
        if name in seen:
            raise ArchiveError(
                f"{archive}: two members are named {member.info.filename!r}, ignoring case; "
                "provide an archive with unique names"
            )
        seen.add(name)
    return members


def _require_limits(archive: Path, members: Sequence[_Member], limits: UnpackSettings) -> None:
    total_mb = sum(member.info.file_size for member in members) / _MEBIBYTE
    largest = max(members, key=lambda member: member.info.file_size).info
    largest_mb = largest.file_size / _MEBIBYTE
    ratio = total_mb * _MEBIBYTE / max(archive.stat().st_size, 1)
    for setting, value, description in (
        ("max_files", len(members), f"{len(members):,} members"),
        ("max_total_mb", total_mb, f"{total_mb:,.0f} MiB unpacked"),
        ("max_file_mb", largest_mb, f"member {largest.filename!r} of {largest_mb:,.0f} MiB"),
        ("max_ratio", ratio, f"unpacked size {ratio:,.0f} times the archive's size"),
    ):
        limit = getattr(limits, setting)
        if value > limit:
            raise ArchiveError(
                f"{archive}: {description}, more than fetch.unpack.{setting} = {limit:g}; raise "
                "the limit only if you trust the archive"
            )


def _safe_path(archive: Path, info: zipfile.ZipInfo) -> PurePosixPath:
    name = info.orig_filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(info.external_attr >> 16)
    problem = ""
    if (
        "\0" in name
        or "\\" in name
        or not path.parts
        or ":" in path.parts[0]
        or path.is_absolute()
        or ".." in path.parts
    ):
        problem = "would be written outside the folder; do not trust this archive"
    elif kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        problem = "is a link or device, not a file; do not trust this archive"
    elif info.flag_bits & _ENCRYPTED:
        problem = "is encrypted; provide an unencrypted archive"
    elif info.compress_type not in _METHODS:
        problem = "is not compressed with store or deflate; create the archive again"
    if problem:
        raise ArchiveError(f"{archive}: the member {name!r} {problem}")
    return path


def _is_system_file(name: str) -> bool:
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
    """Write the members, limited by the bytes written because the declared sizes may be wrong."""
    left = int(limits.max_total_mb * _MEBIBYTE)
    for member in tqdm(members, desc=f"unpack {archive.name}", unit="file", disable=None):
        try:
            written = _write_member(source, member, folder, min(member.info.file_size, left))
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise ArchiveError(
                f"{archive}: the member {member.info.filename!r} cannot be written "
                f"({error.strerror}); create the archive again with short plain names"
            ) from error
        if written != member.info.file_size:
            raise ArchiveError(
                f"{archive}: the member {member.info.filename!r} does not have the size that the "
                "archive declares; do not trust this archive"
            )
        left -= written


def _write_member(source: zipfile.ZipFile, member: _Member, folder: Path, limit: int) -> int:
    """Write one member, stop at most one block after the limit, and return the bytes written."""
    path = folder / member.path
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with source.open(member.info) as packed, path.open("xb") as file:
        while written <= limit and (block := packed.read(_BLOCK)):
            file.write(block)
            written += len(block)
    return written
