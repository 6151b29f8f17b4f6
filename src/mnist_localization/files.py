"""Atomic writes and storage checks for local files and folders."""

import glob
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mnist_localization.errors import DiskSpaceError, LocalizationError

_MEBIBYTE = 2**20
# Kept free for other writers.
_RESERVE = 64 * _MEBIBYTE
# Allocation unit of the common file systems.
_BLOCK = 4096
_LITTER = {".ds_store", "thumbs.db", "desktop.ini", "__macosx"}


def is_litter(name: str) -> bool:
    """Return whether a file or folder was left by an operating system and is no data."""
    return name.startswith("._") or name.lower() in _LITTER


def files_below(folder: Path) -> Iterator[str]:
    """Yield the names of all files in a folder and its subfolders, relative to the folder.

    Raises:
        LocalizationError: A folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        reason = "permission denied" if isinstance(error, PermissionError) else error.strerror
        raise LocalizationError(
            f"{error.filename}: {reason}; make the folder readable, or move it elsewhere"
        ) from error

    for root, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not is_litter(name)]
        prefix = Path(root).relative_to(folder).as_posix()
        names = [name for name in files if not is_litter(name)]
        yield from names if prefix == "." else (f"{prefix}/{name}" for name in names)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of a path that replaces it on success.

    The temporary path keeps the suffix and contains the process id, so that two processes can
    write the same path. It is removed on error.

    Args:
        path: File or folder to write. Its parent folder is created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    temporary = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        yield temporary
        if temporary.is_dir():
            replace_folder(temporary, path)
        else:
            temporary.replace(path)
    finally:
        remove(temporary)


def _remove_leftovers(path: Path) -> None:
    """Remove temporary siblings of a path that killed processes have left."""
    for leftover in path.parent.glob(f".part-*-{glob.escape(path.name)}"):
        pid = leftover.name.split("-", 2)[1]
        if pid == str(os.getpid()) or (pid.isdecimal() and not is_running(int(pid))):
            remove(leftover)


def is_running(pid: int) -> bool:
    """Return whether a process exists; always `True` on Windows, where this cannot be tested."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, with line endings as they are in the text."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8", newline="")


def write_json(path: Path, data: Any) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(data, indent=2))


def replace_folder(temporary: Path, final: Path) -> None:
    """Rename a complete folder to its final path, replacing what is there.

    A folder cannot be renamed onto another one, so the old one is moved away first. A kill
    between the two renames leaves no folder at the final path; see `restore_folder`.
    """
    old = _old(final)
    remove(old)
    if final.exists():
        final.replace(old)
    temporary.replace(final)
    remove(old)


def restore_folder(final: Path) -> None:
    """Restore the old folder if `replace_folder` was killed between its two renames."""
    old = _old(final)
    if old.exists() and not final.exists():
        old.replace(final)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def rounded_to_blocks(size: int) -> int:
    """Return the bytes that a file of the given size occupies on disk."""
    return -(-size // _BLOCK) * _BLOCK


def require_free_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise an error if a write would fill the disk.

    Args:
        folder: Existing folder on the file system to write to.
        needed: Bytes to write.
        purpose: Infinitive for the message, such as "unpack train.zip".

    Raises:
        DiskSpaceError: Less than the needed bytes and a reserve of 64 MiB are free.
    """
    free = shutil.disk_usage(folder).free
    if needed + _RESERVE > free:
        raise DiskSpaceError(
            f"too little disk space to {purpose}: {(needed + _RESERVE) / _MEBIBYTE:,.0f} MiB "
            f"needed in {folder}, {free / _MEBIBYTE:,.0f} MiB free; free some and run the same "
            "command again"
        )


def try_lock(lock: IO[str]) -> bool:
    """Lock an open file until it is closed; return whether no other process had locked it."""
    try:
        import fcntl
    except ImportError:
        return True  # Windows has no flock; concurrent runs are not guarded there
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks
    return True


def _old(final: Path) -> Path:
    return final.with_name(f".old-{final.name}")
