"""The folder of one source: what is in it was verified, or is not there."""

import json
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from mnist_localization.data.sources.verification import Expected, fault, sha256_of
from mnist_localization.errors import SourceError

logger = logging.getLogger(__name__)

MANIFEST = "files.json"
_LOCK = ".lock"
_POLL_S = 0.1


class SourceFolder:
    """Raw files of one source, with a manifest of what each was when it was taken in.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        """Name the folder.

        Args:
            path: The folder; made when it is locked.
        """
        self.path = path

    @contextmanager
    def locked(self, wait_s: float = 30.0) -> Iterator[Self]:
        """Keeps other processes out of the folder meanwhile.

        Args:
            wait_s: Seconds to wait for another process that is in it.

        Raises:
            SourceError: It is still there.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("w") as lock:
            end = time.monotonic() + wait_s
            if not _locked(lock):
                logger.info("Another run is fetching into %s: waiting for it.", self.path)
                while not _locked(lock):
                    if time.monotonic() > end:
                        raise SourceError(
                            f"another run is still fetching into {self.path} after {wait_s:g} "
                            "seconds; wait until it ends, then run the same command again"
                        )
                    time.sleep(_POLL_S)
            yield self

    def file(self, name: str) -> Path:
        """Path of a file of the source."""
        return self.path / name

    def holds(self, name: str, expected: Expected, *, recorded: bool = False) -> bool:
        """Whether a verified copy of a file is there.

        Args:
            name: The file.
            expected: What it must be.
            recorded: Whether it must also be as it was when it was taken in.
        """
        path = self.file(name)
        if not path.is_file():
            return False
        if recorded:
            taken = self._taken(name).get("sha256", "")
            if not taken or fault(path, Expected(sha256=taken)):
                return False
        return fault(path, expected) is None

    def stamp(self, name: str) -> str:
        """What the original of a file bore when it was taken in."""
        return self._taken(name).get("stamp", "")

    def take_in(self, path: Path, name: str, stamp: str = "") -> None:
        """Make a verified file part of the source.

        Args:
            path: The file, in this folder's filesystem; it is moved.
            name: Its name in the source.
            stamp: What its original bears.
        """
        manifest = self._manifest()
        manifest[name] = {"sha256": sha256_of(path), "stamp": stamp}
        # The manifest first: a kill between the two leaves a file that does not fit it.
        temporary = self.path / f".{MANIFEST}.part"
        temporary.write_text(json.dumps(manifest, indent=2), "utf-8")
        temporary.replace(self.path / MANIFEST)
        path.replace(self.file(name))

    def forget(self, name: str) -> None:
        """Remove a file that turned out unfit, so that it is brought anew."""
        self.file(name).unlink(missing_ok=True)

    @contextmanager
    def workshop(self) -> Iterator[Path]:
        """An empty folder inside this one, removed at the end."""
        folder = self.path / ".making"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _taken(self, name: str) -> dict[str, str]:
        taken = self._manifest().get(name)
        return taken if isinstance(taken, dict) else {}

    def _manifest(self) -> dict[str, dict[str, str]]:
        try:
            manifest = json.loads((self.path / MANIFEST).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return manifest if isinstance(manifest, dict) else {}


def _locked(lock: IO[str]) -> bool:
    try:
        import fcntl  # not on Windows, which goes without
    except ImportError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
