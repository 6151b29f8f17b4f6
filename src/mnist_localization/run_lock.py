"""Lock on a data folder, so that two runs never write to it at the same time."""

import json
import logging
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import IO, Any

from mnist_localization.errors import LocalizationError
from mnist_localization.files import try_lock
from mnist_localization.folder import Folder
from mnist_localization.storage import Store

logger = logging.getLogger(__name__)

_NAME = ".run_lock"
# Seconds between two signs of life of a run that holds the lock of an object store.
_BEAT_S = 5.0
# A lock without a sign of life for so many seconds belongs to a run that was killed.
_PATIENCE_S = 20.0


class RunLock:
    """Lock on a data folder, held by one `kedro run`.

    On a local disk it is a lock of the operating system, which ends with its process. On an object
    store it is an object that its owner renews; one that is no longer renewed is taken over.

    Args:
        folder: Data folder.
        command: Command of the run, for the message that another run shows.
    """

    def __init__(self, folder: Folder, command: str) -> None:
        self._folder = folder
        self._owner = {
            "id": uuid.uuid4().hex,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": time.time(),
            "command": command,
        }
        self._file: IO[str] | None = None
        self._ended = threading.Event()
        self._beat: threading.Thread | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            LocalizationError: Another run holds it.
        """
        if self._folder.url:
            self._acquire_object(Store(self._folder.url))
        else:
            self._acquire_file(self._folder.path / _NAME)

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None
        if self._beat is not None:
            self._ended.set()
            self._beat.join()
            self._beat = None
            store = Store(self._folder.url)
            if _read(store).get("id") == self._owner["id"]:
                store.remove(_NAME)

    def _acquire_file(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
        if not try_lock(file):
            file.seek(0)
            text = file.read()
            file.close()
            raise _refusal(self._folder.path.as_posix(), _parse(text))
        file.truncate(0)
        file.write(json.dumps(self._owner))
        file.flush()
        self._file = file

    def _acquire_object(self, store: Store) -> None:
        if not store.create(_NAME, self._content(0)):
            self._wait_for_silence(store)
            store.write(_NAME, self._content(0))
        if _read(store).get("id") != self._owner["id"]:
            raise _refusal(store.url, _read(store))
        self._ended.clear()
        self._beat = threading.Thread(target=self._renew, args=[store], daemon=True)
        self._beat.start()

    def _wait_for_silence(self, store: Store) -> None:
        """Wait until it is certain that the owner of the lock was killed, or raise an error."""
        tag, owner = store.tag(_NAME), _read(store)
        logger.info(
            "%s is locked by %s; checking for %g seconds whether that run still works",
            store.url,
            _described(owner),
            _PATIENCE_S,
        )
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            time.sleep(_BEAT_S / 5)
            now = store.tag(_NAME)
            if not now:
                return
            if now != tag:
                raise _refusal(store.url, owner)
        logger.warning("The run that locked %s was killed; its lock is taken over", store.url)

    def _renew(self, store: Store) -> None:
        count = 0
        while not self._ended.wait(_BEAT_S):
            count += 1
            try:
                if _read(store).get("id") != self._owner["id"]:
                    logger.warning("Another run has taken over the lock of %s", store.url)
                    return
                store.write(_NAME, self._content(count))
            except LocalizationError as error:
                logger.warning("The lock cannot be renewed: %s", error)

    def _content(self, count: int) -> bytes:
        return json.dumps({**self._owner, "count": count}).encode()


def _read(store: Store) -> dict[str, Any]:
    return _parse(store.read(_NAME).decode(errors="replace"))


def _parse(text: str) -> dict[str, Any]:
    try:
        owner = json.loads(text)
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _described(owner: dict[str, Any]) -> str:
    if not owner:
        return "another run"
    minutes = (time.time() - float(owner.get("started", time.time()))) / 60
    return (
        f"process {owner.get('pid')} on {owner.get('host')}, started {minutes:.0f} minutes ago "
        f"(`{owner.get('command')}`)"
    )


def _refusal(place: str, owner: dict[str, Any]) -> LocalizationError:
    return LocalizationError(
        f"{place} is in use by {_described(owner)}; wait until that run ends, or write to another "
        "folder: kedro run --params data=<folder>"
    )
