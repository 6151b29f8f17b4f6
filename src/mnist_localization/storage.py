"""Files and folders on object stores, through fsspec."""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, Self

import fsspec
from fsspec.core import split_protocol
from tqdm import tqdm

from mnist_localization.errors import LocalizationError, StorageError
from mnist_localization.files import atomic_path, remove, require_free_space, write_json

_PROTOCOLS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory")
# Downloads at the same time.
_THREADS = 16
# Limits on the waits for S3 in seconds; one request takes at most three times their sum.
_OPTIONS = {
    "s3": {
        "config_kwargs": {
            "connect_timeout": 10,
            "read_timeout": 30,
            "retries": {"total_max_attempts": 3},
        }
    }
}
# Properties that change with the content of an object, most reliable first.
_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "created", "mtime")


def is_stored(path: str) -> bool:
    """Return whether a path is a URL of an object store, not a local path or a web address."""
    protocol, _ = split_protocol(path)
    return protocol in _PROTOCOLS


class Store:
    """Objects below a URL.

    Args:
        url: URL of fsspec, such as `s3://bucket/prefix`.

    Raises:
        StorageError: The package for this kind of store is not installed.
    """

    def __init__(self, url: str) -> None:
        protocol, _ = split_protocol(url)
        self.url = url.rstrip("/")
        with _explained(self.url):
            self.files, self.root = fsspec.url_to_fs(self.url, **_OPTIONS.get(protocol or "", {}))

    def tag(self, name: str) -> str:
        """Return a text that changes with an object, or an empty string if there is none."""
        with _explained(self._url_of(name)):
            self.files.invalidate_cache()
            try:
                return _tag_of(self.files.info(self._path_of(name)))
            except FileNotFoundError:
                return ""

    def mirror(self, folder: Path) -> None:
        """Make a local folder equal to the objects below the URL.

        A file of the same size and time is not downloaded again.
        """
        with _explained(self.url):
            self.files.invalidate_cache()
            found = self.files.find(self.root, detail=True)
        start = len(self.root.rstrip("/")) + 1
        objects = {path[start:]: info for path, info in found.items() if path[start:]}
        for name in objects:
            if ".." in name.split("/") or name.startswith("/") or "\\" in name:
                raise StorageError(f"{self._url_of(name)} is not a valid file name; rename it")
        if not objects:
            raise StorageError(f"{self.url} contains no files; correct the address")
        for file in [file for file in folder.rglob("*") if file.is_file()]:
            if file.relative_to(folder).as_posix() not in objects:
                file.unlink()
        changed = [name for name in objects if not _is_copy(folder / name, objects[name])]

        def download(name: str) -> None:
            self.get(name, folder / name)
            os.utime(folder / name, (_time_of(objects[name]),) * 2)

        with ThreadPool(_THREADS) as pool:
            progress = tqdm(total=len(changed), desc=f"Downloading {self.url}", disable=None)
            for _ in pool.imap_unordered(download, changed):
                progress.update()
            progress.close()

    def push_files(self, folder: Path, last: str, unchanging: str) -> None:
        """Upload the files of a folder as one object each, and remove other objects.

        Args:
            folder: Local folder without subfolders.
            last: File that makes the others valid; it is uploaded when they are there.
            unchanging: Suffix of files whose names change with their content, which are not
                uploaded again.
        """
        known = self._sizes()
        files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
        if self.read(last) == (folder / last).read_bytes():
            return
        for name, size in files.items():
            is_there = name.endswith(unchanging) and known.get(name) == size
            if name != last and not is_there:
                self.put(folder / name, name)
        self.put(folder / last, last)
        for name in known.keys() - files.keys():
            self.remove(name)

    def pull_files(self, folder: Path, last: str, unchanging: str) -> None:
        """Make a local folder equal to what `push_files` has uploaded, if it has changed."""
        content, path = self.read(last), folder / last
        if path.is_file() and path.read_bytes() == content:
            return
        path.unlink(missing_ok=True)
        if not content:
            return
        known = self._sizes()
        for name, size in known.items():
            local = folder / name
            is_there = local.is_file() and local.stat().st_size == size
            if name != last and not (name.endswith(unchanging) and is_there):
                self.get(name, local)
        for other in folder.iterdir():
            if other.name not in known:
                other.unlink()
        self.get(last, path)

    def _sizes(self) -> dict[str, int]:
        """Return the size of each object directly below the URL."""
        with _explained(self.url):
            self.files.invalidate_cache()
            found = self.files.find(self.root, maxdepth=1, detail=True)
        start = len(self.root.rstrip("/")) + 1
        return {path[start:]: info["size"] for path, info in found.items() if path[start:]}

    def get(self, name: str, path: Path) -> None:
        """Download an object to a local path, atomically."""
        with _explained(self._url_of(name)):
            size = self.files.info(self._path_of(name)).get("size") or 0
            path.parent.mkdir(parents=True, exist_ok=True)
            require_free_space(path.parent, size, f"download {name}")
            with atomic_path(path) as temporary:
                self.files.get_file(self._path_of(name), str(temporary))

    def put(self, path: Path, name: str) -> None:
        """Upload a local file as one object, which replaces an old one at once."""
        with _explained(self._url_of(name)):
            self.files.put_file(str(path), self._path_of(name))

    def read(self, name: str) -> bytes:
        """Return the content of an object, or nothing if it does not exist."""
        with _explained(self._url_of(name)):
            self.files.invalidate_cache()
            try:
                return bytes(self.files.cat_file(self._path_of(name)))
            except FileNotFoundError:
                return b""

    def write(self, name: str, content: bytes) -> None:
        """Write an object."""
        with _explained(self._url_of(name)):
            self.files.pipe_file(self._path_of(name), content)

    def create(self, name: str, content: bytes) -> bool:
        """Write an object and return `True`, or return `False` if it exists already."""
        with _explained(self._url_of(name)):
            if self.tag(name):
                return False
            try:
                self.files.pipe_file(self._path_of(name), content, mode="create")
            except FileExistsError:
                return False
        return True

    def remove(self, name: str) -> None:
        """Remove an object, if it exists."""
        with _explained(self._url_of(name)), suppress(FileNotFoundError):
            self.files.rm_file(self._path_of(name))

    def _path_of(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    def _url_of(self, name: str) -> str:
        return f"{self.url}/{name}"


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
                f"{', '.join(f'{each}://' for each in _PROTOCOLS)}"
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


def _tag_of(info: dict[str, Any]) -> str:
    found = [str(info[key]) for key in _TAGS if info.get(key)]
    return f"{info.get('size')}:{found[0] if found else ''}"


def _time_of(info: dict[str, Any]) -> float:
    """Return the time of the last change in whole seconds."""
    found = next((info[key] for key in ("LastModified", "created", "mtime") if info.get(key)), 0)
    return float(int(found.timestamp() if isinstance(found, datetime) else found))


def _is_copy(path: Path, info: dict[str, Any]) -> bool:
    if not path.is_file():
        return False
    state = path.stat()
    return state.st_size == info.get("size") and state.st_mtime == _time_of(info)


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn an error of a store, whose packages have many classes of errors, into one message."""
    try:
        yield
    except LocalizationError:
        raise
    except ImportError as error:
        raise StorageError(
            f"{url} cannot be read or written: {error}; for s3:// install the extra: "
            "pip install 'mnist-localization[s3]'"
        ) from error
    except Exception as error:
        raise StorageError(
            f"{url} cannot be read or written ({type(error).__name__}: {error}); check the "
            "address, the credentials in the environment and the network, then run the same "
            "command again"
        ) from error
