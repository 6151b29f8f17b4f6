"""Safe unpacking of untrusted zip archives."""

import errno
import json
import logging
import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from mnist_localization.config.data import UnpackSettings
from mnist_localization.data.images.decode import SUFFIXES
from mnist_localization.errors import ArchiveError
from mnist_localization.files import (
    is_litter,
    remove,
    replace_folder,
    require_free_space,
    rounded_to_blocks,
    write_text,
)

logger = logging.getLogger(__name__)

_MEBIBYTE = 2**20
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Exceptions of Python's zip reader on an altered archive. NotImplementedError is raised if the
# altered bytes request a version or feature of the format that the reader does not support.
_DAMAGED = (zipfile.BadZipFile, EOFError, zlib.error, ValueError, NotImplementedError)


class DamagedArchiveError(ArchiveError):
    """An archive that is truncated or altered; another copy of it may be intact."""


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
    summary = _summarize(folder)
    if marker.exists() and marker.read_bytes() == _marker(sha256, summary).encode():
        return summary["images"]
    temporary = folder.with_name(f".{folder.name}.part")
    purpose = f"unpack {archive.name}"
    remove(temporary)  # left by a killed run
    try:
        with zipfile.ZipFile(archive) as source:
            members = _validated_members(archive, source, limits)
            needed = sum(rounded_to_blocks(member.file_size) for member in members.values())
            require_free_space(archive.parent, needed, purpose)
            logger.info("Unpacking %s: %d files", archive.name, len(members))
            temporary.mkdir(parents=True)
            for path, member in tqdm(members.items(), desc=purpose, unit="file", disable=None):
                _write_member(archive, source, member, temporary / path)
        summary = _summarize(temporary)
        # The marker makes the folder valid, so it is removed first and written last.
        marker.unlink(missing_ok=True)
        replace_folder(temporary, folder)
        write_text(marker, _marker(sha256, summary))
    except _DAMAGED as error:
        raise DamagedArchiveError(
            f"{archive}: the archive is damaged ({error}); check the copy of the source, then "
            "run the same command again"
        ) from error
    finally:
        remove(temporary)
    return summary["images"]


def _summarize(folder: Path) -> dict[str, int]:
    paths = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    return {
        "files": len(paths),
        "bytes": sum(path.lstat().st_size for path in paths),
        "images": sum(path.suffix.lower() in SUFFIXES for path in paths),
    }


def _marker(sha256: str, summary: Mapping[str, int]) -> str:
    return json.dumps({"sha256": sha256, **summary}, indent=2)


def _validated_members(
    archive: Path, source: zipfile.ZipFile, limits: UnpackSettings
) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """Return the files of an archive by their paths without a shared top-level folder."""
    infos = [info for info in source.infolist() if not _is_system_file(info.filename)]
    paths = [_safe_path(archive, info) for info in infos]
    members = [(path, info) for path, info in zip(paths, infos, strict=True) if not info.is_dir()]
    if not members:
        raise ArchiveError(f"{archive}: the archive contains no files; check the source")
    _require_limits(archive, [info for _, info in members], limits)
    # Names that differ only in case are one file on Windows and macOS.
    names = Counter(str(path).casefold() for path, _ in members)
    name, count = names.most_common(1)[0]
    if count > 1:
        raise ArchiveError(
            f"{archive}: two members are named {name!r}, ignoring case; provide an archive with "
            "unique names"
        )
    tops = {path.parts[0] for path, _ in members}
    if len(tops) > 1 or any(len(path.parts) == 1 for path, _ in members):
        return dict(members)
    return {path.relative_to(path.parts[0]): info for path, info in members}


def _require_limits(
    archive: Path, members: Sequence[zipfile.ZipInfo], limits: UnpackSettings
) -> None:
    total_mb = sum(member.file_size for member in members) / _MEBIBYTE
    largest = max(members, key=lambda member: member.file_size)
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
    # Some tools on Windows write backslashes as separators.
    path = PurePosixPath(name.replace("\\", "/"))
    kind = stat.S_IFMT(info.external_attr >> 16)
    problem = ""
    if (
        "\0" in name
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
    return any(map(is_litter, PurePosixPath(name).parts))


def _write_member(
    archive: Path, source: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path
) -> None:
    """Write one member, reading no more than one byte above the size that the archive declares."""
    try:
        with source.open(member) as packed:
            content = packed.read(member.file_size + 1)
        if len(content) != member.file_size:
            raise ArchiveError(
                f"{archive}: the member {member.filename!r} does not have the size that the "
                "archive declares; do not trust this archive"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise ArchiveError(
            f"{archive}: the member {member.filename!r} cannot be written ({error.strerror}); "
            "create the archive again with short plain names"
        ) from error
