"""Local folders that can be kept on an object store, as one archive each."""

import hashlib
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fsspec.core import split_protocol

from mnist_localization.errors import StorageError
from mnist_localization.files import atomic_path, remove, write_json, write_text
from mnist_localization.storage import PROTOCOLS, Store, is_stored


@dataclass(frozen=True)
class Folder:
    """Local folder that can be kept on an object store, as one archive.

    One archive, because an object replaces an old one at once, and several do not; and because a
    folder of many small files takes one request for each. Without a URL nothing is transferred.

    Attributes:
        path: Local folder; with a URL, the local copy.
        url: URL of the folder on the object store, or an empty string.
    """

    path: Path
    url: str = ""

    @classmethod
    def at(cls, path: str, copies: Path) -> Self:
        """Return the folder of a path or URL.

        Args:
            path: Local path, or URL of fsspec.
            copies: Folder of the local copies of all URLs.
        """
        protocol, rest = split_protocol(path.rstrip("/"))
        if protocol in (None, "file", "local"):
            return cls(Path(rest))
        if not is_stored(path):
            raise StorageError(
                f"{path}: data cannot be kept at this kind of address; use a folder, or a URL of "
                f"{', '.join(f'{each}://' for each in PROTOCOLS)}"
            )
        return cls(copies / str(protocol) / rest.strip("/"), path.rstrip("/"))

    def __truediv__(self, name: str) -> "Folder":
        """Return a subfolder, which has an archive of its own."""
        return Folder(self.path / name, f"{self.url}/{name}" if self.url else "")

    def pull(self) -> Path:
        """Replace the local copy if the archive has changed, and return the local path.

        Files that were never pushed are kept if the store has no archive.
        """
        if not self.url:
            return self.path
        store, name = self._store()
        tag, known = store.tag(name), self._state().get("tag", "")
        if tag == known:
            return self.path
        if not tag:
            self._forget()
            return self.path
        archive = self.path.with_name(f"{self.path.name}.tar")
        store.get(name, archive)
        try:
            with atomic_path(self.path) as temporary:
                _unpack(archive, temporary, f"{self.url}.tar")
        finally:
            remove(archive)
        self._record(tag)
        return self.path

    def push(self) -> None:
        """Replace the archive on the object store if the local copy has changed."""
        if not self.url or not self.path.is_dir():
            return
        store, name = self._store()
        state = {"tag": store.tag(name), "listing": _listing(self.path)}
        if state["tag"] and state == self._state():
            return
        archive = self.path.with_name(f"{self.path.name}.tar")
        with atomic_path(archive) as temporary:
            with tarfile.open(temporary, "w") as tar:
                tar.add(self.path, ".", filter=_without_links)
            store.put(temporary, name)
        remove(archive)
        self._record(store.tag(name))

    @property
    def shown(self) -> str:
        """Return the URL, or the local path, for messages."""
        return self.url or self.path.as_posix()

    def names(self) -> list[str]:
        """Return the names of the subfolders that are complete, in alphabetical order."""
        if self.url:
            archives = Store(self.url).names()
            return sorted(name[:-4] for name in archives if name.endswith(".tar"))
        if not self.path.is_dir():
            return []
        folders = (each.name for each in self.path.iterdir() if each.is_dir())
        return sorted(name for name in folders if not name.startswith("."))

    def read(self, name: str) -> bytes:
        """Return the content of a file, or nothing if it does not exist."""
        if self.url:
            return Store(self.url).read(name)
        path = self.path / name
        return path.read_bytes() if path.is_file() else b""

    def write(self, name: str, text: str) -> None:
        """Write a file atomically; it is not part of the archive."""
        if self.url:
            Store(self.url).write(name, text.encode())
        else:
            write_text(self.path / name, text)

    def remove(self) -> None:
        """Remove the local folder and the archive."""
        if self.url:
            store, name = self._store()
            store.remove(name)
        self._forget()

    def _store(self) -> tuple[Store, str]:
        parent, _, name = self.url.rpartition("/")
        return Store(parent), f"{name}.tar"

    @property
    def _state_path(self) -> Path:
        return self.path.with_name(f".{self.path.name}.pulled.json")

    def _state(self) -> dict[str, str]:
        try:
            state: dict[str, str] = json.loads(self._state_path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return state if self.path.is_dir() else {}

    def _record(self, tag: str) -> None:
        write_json(self._state_path, {"tag": tag, "listing": _listing(self.path)})

    def _forget(self) -> None:
        remove(self.path)
        remove(self._state_path)


def _unpack(archive: Path, folder: Path, shown: str) -> None:
    """Unpack an archive into a new folder; the filter refuses links and paths outside of it."""
    folder.mkdir()
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except tarfile.TarError as error:
        raise StorageError(
            f"{shown} cannot be unpacked ({error}); remove it, and run the stage that writes it "
            "again"
        ) from error


def _without_links(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out links, such as those to log files of W&B, and temporary files."""
    is_temporary = Path(member.name).name.startswith(".part-")
    return None if member.issym() or member.islnk() or is_temporary else member


def _listing(folder: Path) -> str:
    """Return a hash of the names, sizes and times of all files."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            state = file.stat()
            name = file.relative_to(folder).as_posix()
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
