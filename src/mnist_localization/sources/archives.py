"""Unpacking zip archives that are not trusted."""

import json
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from mnist_localization.config import UnpackSettings
from mnist_localization.errors import ArchiveError
from mnist_localization.sources.disk import require_free_space

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})

_MEBIBYTE = 2**20
_BLOCK = 2**16
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class _Member:
    info: zipfile.ZipInfo
    path: PurePosixPath


def unpack(archive: Path, sha256: str, folder: Path, limits: UnpackSettings) -> int:
    """Unpack an archive into a folder, made beside and renamed when it is whole.

    A folder that every member shares is left out of the paths. A folder that was unpacked
    from the same archive is kept as it is.

    Args:
        archive: The zip file.
        sha256: Its hash.
        folder: Where its members shall stand; what stood there is replaced.
        limits: What it may hold at most.

    Returns:
        The number of images among its members.

    Raises:
        ArchiveError: The archive is damaged, encrypted or too large, or a member of it leaves
            the folder; nothing is left behind. Names archive and member.
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
            needed = sum(member.info.file_size for member in members)
            require_free_space(archive.parent, needed, f"unpack {archive.name}")
            beside.mkdir(parents=True)
            _write(archive, source, members, beside, limits)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise ArchiveError(
            f"{archive}: the archive is damaged ({error}); delete it and fetch it again"
        ) from error
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    images = _count(beside, images_only=True)
    marker.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)
    written = {"sha256": sha256, "files": len(members), "images": images}
    temporary = marker.with_name(f".{marker.name}.part")
    temporary.write_text(json.dumps(written), "utf-8")
    temporary.replace(marker)
    return images


def _unpacked_before(marker: Path, sha256: str, folder: Path) -> int | None:
    try:
        written = json.loads(marker.read_text("utf-8"))
        if written["sha256"] == sha256 and written["files"] == _count(folder):
            return int(written["images"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _count(folder: Path, *, images_only: bool = False) -> int:
    return sum(
        not images_only or os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122
        for _, _, names in os.walk(folder)
        for name in names
    )


def _checked_members(
    archive: Path, source: zipfile.ZipFile, limits: UnpackSettings
) -> list[_Member]:
    """The files of an archive, once its directory is fit to be followed."""
    members = [
        _Member(info, _safe_path(archive, info))
        for info in source.infolist()
        if not info.is_dir() and not _is_litter(info.filename)
    ]
    if not members:
        raise ArchiveError(f"{archive}: the archive holds no files; check the source")
    if len(members) > limits.max_files:
        raise ArchiveError(
            f"{archive}: {len(members):,} members, more than fetch.unpack.max_files = "
            f"{limits.max_files:,}"
        )
    total = sum(member.info.file_size for member in members)
    if total > limits.max_total_mb * _MEBIBYTE:
        raise ArchiveError(
            f"{archive}: {total / _MEBIBYTE:,.0f} MiB unpacked, more than "
            f"fetch.unpack.max_total_mb = {limits.max_total_mb:g}"
        )
    if total > limits.max_ratio * max(archive.stat().st_size, 1):
        raise ArchiveError(
            f"{archive}: unpacked {total / archive.stat().st_size:,.0f} times as large, more than "
            f"fetch.unpack.max_ratio = {limits.max_ratio:g}"
        )
    members = _without_shared_folder(members)
    seen: set[str] = set()
    for member in members:
        name = str(member.path).casefold()
        if name in seen:
            raise ArchiveError(f"{archive}: two members are named {member.info.filename!r}")
        seen.add(name)
        if member.info.file_size > limits.max_file_mb * _MEBIBYTE:
            raise ArchiveError(
                f"{archive}: the member {member.info.filename!r} is larger than "
                f"fetch.unpack.max_file_mb = {limits.max_file_mb:g}"
            )
    return members


def _safe_path(archive: Path, info: zipfile.ZipInfo) -> PurePosixPath:
    name = info.orig_filename
    path = PurePosixPath(name)
    if (
        not name
        or "\0" in name
        or "\\" in name
        or ":" in path.parts[0]
        or path.is_absolute()
        or ".." in path.parts
    ):
        raise ArchiveError(
            f"{archive}: the member {name!r} would leave the folder; do not trust this archive"
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise ArchiveError(f"{archive}: the member {name!r} is a link or device, not a file")
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"{archive}: the member {name!r} is encrypted; bring an open archive")
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
    made: set[PurePosixPath] = set()
    for member in tqdm(members, desc=f"unpack {archive.name}", unit="file", disable=None):
        if member.path.parent not in made:
            (folder / member.path.parent).mkdir(parents=True, exist_ok=True)
            made.add(member.path.parent)
        written = 0
        with source.open(member.info) as packed, (folder / member.path).open("xb") as file:
            while block := packed.read(_BLOCK):
                written += len(block)
                if written > min(member.info.file_size, limits.max_file_mb * _MEBIBYTE, left):
                    raise ArchiveError(
                        f"{archive}: the member {member.info.filename!r} holds more than the "
                        "archive's directory says; do not trust this archive"
                    )
                file.write(block)
        if written != member.info.file_size:
            raise ArchiveError(f"{archive}: the member {member.info.filename!r} is truncated")
        left -= written
