"""Files and folders on object stores, through fsspec."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import fsspec
from fsspec.core import split_protocol
from tqdm import tqdm

from mnist_localization.errors import LocalizationError, StorageError
from mnist_localization.files import atomic_path, require_free_space

PROTOCOLS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory")
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
    return protocol in PROTOCOLS


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

    def names(self) -> list[str]:
        """Return the names of the objects directly below the URL."""
        return list(self._sizes())

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
