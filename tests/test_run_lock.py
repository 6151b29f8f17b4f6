import errno
import subprocess
import sys
import uuid

import pytest

from mnist_localization import run_lock
from mnist_localization.errors import LocalizationError
from mnist_localization.folder import Folder
from mnist_localization.run_lock import RunLock
from mnist_localization.storage import Store
from support.object_store import s3_bucket


@pytest.fixture(scope="module")
def bucket():
    with s3_bucket() as url:
        yield url


@pytest.fixture(params=["local", "s3", "memory"])
def folder(request, tmp_path, monkeypatch):
    monkeypatch.setattr(run_lock, "_BEAT_S", 0.1)
    monkeypatch.setattr(run_lock, "_PATIENCE_S", 1.0)
    if request.param == "local":
        return Folder(tmp_path / "data")
    root = request.getfixturevalue("bucket") if request.param == "s3" else "memory://locks"
    return Folder.at(f"{root}/{uuid.uuid4().hex}", tmp_path)


def test_a_second_run_is_refused_with_the_owner_of_the_lock(folder):
    first, second = RunLock(folder, "kedro run --pipelines=train"), RunLock(folder, "kedro run")
    first.acquire()
    with pytest.raises(LocalizationError, match=r"in use by process \d+ on .*--pipelines=train"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_lock_can_be_taken_again(folder):
    lock = RunLock(folder, "kedro run")
    for _ in range(2):
        lock.acquire()
        lock.release()


def test_a_killed_run_leaves_no_lock_on_a_disk(tmp_path):
    code = (
        "import os; from pathlib import Path; from mnist_localization.run_lock import RunLock;"
        "from mnist_localization.folder import Folder;"
        f"RunLock(Folder(Path({str(tmp_path)!r})), '').acquire(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    lock = RunLock(Folder(tmp_path), "")
    lock.acquire()
    lock.release()


@pytest.mark.parametrize("content", [b"", b"damaged", b"[]", b'{"pid": 1, "host": "gone"}'])
def test_the_lock_of_a_killed_run_on_a_store_is_taken_over(tmp_path, monkeypatch, content):
    monkeypatch.setattr(run_lock, "_BEAT_S", 0.05)
    monkeypatch.setattr(run_lock, "_PATIENCE_S", 0.2)
    url = f"memory://locks/{uuid.uuid4().hex}"
    Store(url).write(".run_lock", content)
    lock = RunLock(Folder.at(url, tmp_path), "")
    lock.acquire()
    lock.release()
    assert Store(url).read(".run_lock") == b""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_a_file_system_without_locks_stops_no_run(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    for _ in range(2):
        RunLock(Folder(tmp_path), "").acquire()
