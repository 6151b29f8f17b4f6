"""Folder of one source, with a manifest of verified files."""

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import TypeAdapter

from mnist_localization.data.dataset_card import DatasetCard, FileEntry, SplitFiles
from mnist_localization.errors import SourceError
from mnist_localization.files import try_lock, write_json

logger = logging.getLogger(__name__)

MANIFEST = "files.json"
_LOCK = ".lock"
_POLL_S = 0.1
# The keys of a file in the manifest are `sha256` and `stamp`.
_Manifest = dict[str, dict[str, str]]


@dataclass(frozen=True)
class ExpectedHash:
    """Expected hash of a file in hexadecimal; an empty string is not checked."""

    value: str = ""
    kind: Literal["SHA-256", "git blob id"] = "SHA-256"

    def mismatch(self, path: Path) -> str:
        """Return the expected and the found hash if they differ, else an empty string."""
        if not self.value:
            return ""
        expected = self.value.lower()
        found = sha256_of(path) if self.kind == "SHA-256" else blob_id_of(path)
        return "" if found == expected else f"expected {self.kind} {expected}, found {found}"

    def verify(self, path: Path, name: str) -> None:
        """Remove a file and raise an error if its hash differs.

        Args:
            path: File to verify.
            name: Name of the file in the message.

        Raises:
            SourceError: The hash differs.
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
    """Return the git blob id of a file: SHA-1 of `blob <size>`, a zero byte, and the content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: digest).hexdigest()


def file_entry(path: Path) -> FileEntry:
    """Return size and hash of a file for the dataset card."""
    return FileEntry(size=path.stat().st_size, sha256=sha256_of(path))


class SourceFolder:
    """Raw files of one source; the manifest records the hash of each file when it was added."""

    def __init__(self, path: Path) -> None:
        """Set the folder; `locked` creates it."""
        self.path = path

    @classmethod
    def of(cls, raw_folder: Path, kind: str, identity: str) -> Self:
        """Return the folder of a source.

        Args:
            raw_folder: Parent of the folders of all sources.
            kind: Kind of the source; precedes a hash in the name of the folder.
            identity: Text that differs from that of all other sources of the kind.
        """
        return cls(raw_folder / f"{kind}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}")

    @contextmanager
    def locked(self, wait_s: float) -> Iterator[Self]:
        """Hold an exclusive lock on the folder.

        Args:
            wait_s: Seconds to wait for another process to release the lock.

        Raises:
            SourceError: Another process still holds the lock.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("w") as lock:
            deadline = time.monotonic() + wait_s
            if not try_lock(lock):
                logger.info("Waiting for another run that is fetching into %s", self.path)
                while not try_lock(lock):
                    if time.monotonic() > deadline:
                        raise SourceError(
                            f"another run is still fetching into {self.path} after {wait_s:g} "
                            "seconds; wait until it ends, then run the same command again"
                        )
                    time.sleep(_POLL_S)
            yield self

    def has(self, name: str, expected: ExpectedHash) -> bool:
        """Return whether a verified copy of a file exists.

        A copy without an expected hash is verified by the hash in the manifest.
        """
        path = self.path / name
        if not expected.value:
            expected = ExpectedHash(self._manifest().get(name, {}).get("sha256", ""))
        return path.is_file() and expected.value != "" and not expected.mismatch(path)

    def stamp(self, name: str) -> str:
        """Return size and time of the original file when it was copied, or an empty string."""
        return self._manifest().get(name, {}).get("stamp", "")

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
        path.replace(self.path / name)

    def card(
        self,
        source: str,
        files: dict[str, FileEntry],
        splits: dict[str, SplitFiles],
        images: Mapping[str, int],
    ) -> DatasetCard:
        """Return the dataset card of the source.

        Args:
            source: Kind of the source.
            files: Raw files by name.
            splits: Location of the files of each split.
            images: Number of images of each split.
        """
        card = DatasetCard(
            source=source,
            requested_source=source,
            folder=self.path.name,
            files=files,
            splits=splits,
            train_images=images["train"],
            validation_images=images.get("validation", 0),
            test_images=images.get("test", 0),
        )
        logger.info("Fetched %s: %s in %s", source, card.counts_text(), card.folder)
        return card

    def _manifest(self) -> _Manifest:
        try:
            return TypeAdapter(_Manifest).validate_json((self.path / MANIFEST).read_bytes())
        except (OSError, ValueError):
            return {}
