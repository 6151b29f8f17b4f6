"""Hashes that tell whether a file is the right one."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mnist_localization.errors import SourceError

_BLOCK = 2**20


@dataclass(frozen=True)
class Expected:
    """What a file must be; an empty text means unknown.

    Attributes:
        blob_id: Git blob id, 40 hexadecimal digits.
        sha256: SHA-256, 64 hexadecimal digits.
    """

    blob_id: str = ""
    sha256: str = ""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def blob_id_of(path: Path) -> str:
    """Git's id of a file: SHA-1 of `blob <size>`, a zero byte, and the content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fault(path: Path, expected: Expected) -> str | None:
    """What is wrong with a file's content; none when it is as expected."""
    if expected.blob_id and (found := blob_id_of(path)) != expected.blob_id:
        return f"expected git blob id {expected.blob_id}, found {found}"
    if expected.sha256 and (found := sha256_of(path)) != expected.sha256.lower():
        return f"expected SHA-256 {expected.sha256.lower()}, found {found}"
    return None


def require(path: Path, name: str, expected: Expected) -> None:
    """Remove a file whose content is wrong, and say so.

    Args:
        path: The file.
        name: What the message calls it.
        expected: What it must be.

    Raises:
        SourceError: Names the file, the expected and the found hash.
    """
    if reason := fault(path, expected):
        path.unlink()
        raise SourceError(
            f"{name}: {reason}. Nothing of it was kept. Either the source has changed, or the "
            "expected sum is wrong, or something on the way alters what is sent; compare it "
            "with another copy, then run the same command again."
        )
