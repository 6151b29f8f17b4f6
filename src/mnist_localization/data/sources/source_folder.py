"""Folder of one source, with a manifest of verified files."""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from mnist_localization.data.dataset_card import FileEntry
from mnist_localization.errors import SourceError
from mnist_localization.files import write_json

logger = logging.getLogger(__name__)

MANIFEST = "files.json"
_LOCK = ".lock"
_POLL_S = 0.1
_BLOCK = 2**20


@dataclass(frozen=True)
class ExpectedHash:
    """Expected hashes of a file; an empty string is not checked.

    Attributes:
        blob_id: Git blob id: SHA-1 of `blob <size>`, a zero byte, and the content.
        sha256: SHA-256 in hexadecimal.
    """

    blob_id: str = ""
    sha256: str = ""

    @property
    def is_known(self) -> bool:
        """Return whether a file can be verified."""
        return bool(self.blob_id or self.sha256)

    def mismatch(self, path: Path) -> str:
        """Return the expected and the found hash if they differ, else an empty string."""
        if self.blob_id and (found := blob_id_of(path)) != self.blob_id:
            return f"expected git blob id {self.blob_id}, found {found}"
        if self.sha256 and (found := sha256_of(path)) != self.sha256.lower():
            return f"expected SHA-256 {self.sha256.lower()}, found {found}"
        return ""

    def verify(self, path: Path, name: str) -> None:
        """Remove a file and raise an error if a hash differs.

        Args:
            path: File to verify.
            name: Name of the file in the message.

        Raises:
            SourceError: A hash differs.
        """
        if mismatch := self.mismatch(path):
            path.unlink()
            raise SourceError(
                f"{name}: {mismatch}; the file was removed. Either the source has changed, the "
                "expected hash is wrong, or the transfer altered the file; compare it with "
                "another copy, then run the same command again"
            )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def blob_id_of(path: Path) -> str:
    """Return the git blob id of a file."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def file_entry(path: Path) -> FileEntry:
    """Return size and hash of a file for the dataset card."""
    return FileEntry(size=path.stat().st_size, sha256=sha256_of(path))


class SourceFolder:
    """Raw files of one source; the manifest records the hash of each file when it was added."""

    def __init__(self, path: Path) -> None:
        """Set the folder; `locked` creates it."""
        self.path = path

    @contextmanager
    def locked(self, wait_s: float = 30.0) -> Iterator[Self]:
        """Hold an exclusive lock on the folder.

        Args:
            wait_s: Seconds to wait for another process to release the lock.

        Raises:
            SourceError: Another process still holds the lock.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("w") as lock:
            deadline = time.monotonic() + wait_s
            if not _try_lock(lock):
                logger.info("Waiting for another run that is fetching into %s", self.path)
                while not _try_lock(lock):
                    if time.monotonic() > deadline:
                        raise SourceError(
                            f"another run is still fetching into {self.path} after {wait_s:g} "
                            "seconds; wait until it ends, then run the same command again"
                        )
                    time.sleep(_POLL_S)
            yield self

    def file(self, name: str) -> Path:
        """Return the path of a file of the source."""
        return self.path / name

    def has(self, name: str, expected: ExpectedHash, *, recorded: bool = False) -> bool:
        """Return whether a verified copy of a file exists.

        Args:
            name: Name of the file.
            expected: Expected hashes.
            recorded: Whether the file must also match the hash in the manifest.
        """
        path = self.file(name)
        if not path.is_file():
            return False
        if recorded:
            sha256 = self._recorded(name).get("sha256", "")
            if not sha256 or ExpectedHash(sha256=sha256).mismatch(path):
                return False
        return not expected.mismatch(path)

    def stamp(self, name: str) -> str:
        """Return size and time of the original file when it was copied, or an empty string."""
        return self._recorded(name).get("stamp", "")

    def add(self, path: Path, name: str, stamp: str = "") -> None:
        """Move a verified file into the folder and record its hash.

        Args:
            path: File on the same file system.
            name: Name of the file in the source.
            stamp: Size and time of the original file.
        """
        manifest = self._manifest()
        manifest[name] = {"sha256": sha256_of(path), "stamp": stamp}
        # The manifest is written first, so that a file never matches an outdated entry.
        write_json(self.path / MANIFEST, manifest)
        path.replace(self.file(name))

    def discard(self, name: str) -> None:
        """Remove an invalid file, so that the next run fetches it again."""
        self.file(name).unlink(missing_ok=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield an empty folder inside this one, and remove it afterwards."""
        folder = self.path / ".scratch"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _recorded(self, name: str) -> dict[str, str]:
        entry = self._manifest().get(name)
        return entry if isinstance(entry, dict) else {}

    def _manifest(self) -> dict[str, dict[str, str]]:
        try:
            manifest = json.loads((self.path / MANIFEST).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return manifest if isinstance(manifest, dict) else {}


def _try_lock(lock: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:
        return True  # Windows has no flock; concurrent fetches are not guarded there
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
