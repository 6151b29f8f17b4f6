"""Atomic writes and storage checks."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from mnist_localization import files
from mnist_localization.errors import DiskSpaceError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_only_after_the_block(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with files.atomic_path(path) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write():
        with files.atomic_path(path) as temporary:
            temporary.write_text("new")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_replaces_a_folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").touch()
    with files.atomic_path(path) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert names(path) == ["new"]
    assert names(tmp_path) == ["model"]


def test_an_error_keeps_the_old_folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()

    def write():
        with files.atomic_path(path) as temporary:
            temporary.mkdir()
            (temporary / "new").touch()
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write()
    assert names(path) == []
    assert names(tmp_path) == ["model"]


def test_the_old_folder_is_restored_after_a_kill_between_the_renames(tmp_path, monkeypatch):
    new, path = tmp_path / "new", tmp_path / "model"
    new.mkdir()
    path.mkdir()
    (path / "old").touch()
    rename = type(path).replace

    def killed(self, target):
        if self == new:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(type(path), "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        files.replace_folder(new, path)
    monkeypatch.undo()
    assert not path.exists()
    files.restore_folder(path)
    assert names(path) == ["old"]
    files.replace_folder(new, path)
    files.restore_folder(path)
    assert names(tmp_path) == ["model"]
    assert names(path) == []


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    code = f"""
        import sys, time
        from pathlib import Path
        from mnist_localization.files import atomic_path
        with atomic_path(Path({str(path)!r})) as temporary:
            with temporary.open("w") as file:
                file.write('{{"a": ')
                file.flush()
                print("writing", flush=True)
                time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "writing\n"
        writer.send_signal(signal.SIGKILL)
    assert json.loads(path.read_text("utf-8")) == {"a": 1}


def test_concurrent_writers_leave_one_complete_file(tmp_path):
    path = tmp_path / "a.txt"
    code = (
        "import sys\nfrom pathlib import Path\nfrom mnist_localization.files import write_text\n"
        "for _ in range(200): write_text(Path(sys.argv[1]), sys.argv[2] * 10_000)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), letter]) for letter in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.add(path.read_text("utf-8"))
        time.sleep(0.001)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= {"a" * 10_000, "b" * 10_000}
    assert names(tmp_path) == ["a.txt"]


def test_text_is_written_in_utf8_with_its_line_endings(tmp_path):
    files.write_text(tmp_path / "a.txt", "\u00e9\r\n\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\r\n\n"


def test_remove_takes_files_folders_and_missing_paths(tmp_path):
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    files.remove(tmp_path / "link")
    assert names(tmp_path) == ["file", "folder"]
    for name in ("file", "folder", "missing"):
        files.remove(tmp_path / name)
    assert names(tmp_path) == []


@pytest.mark.parametrize(("size", "occupied"), [(0, 0), (1, 4096), (4096, 4096), (4097, 8192)])
def test_sizes_are_rounded_up_to_blocks(size, occupied):
    assert files.rounded_to_blocks(size) == occupied


def test_too_little_disk_space_is_an_error_that_names_the_purpose(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100 * 2**20})
    monkeypatch.setattr("mnist_localization.files.shutil.disk_usage", lambda folder: usage)
    files.require_free_space(tmp_path, 36 * 2**20, "unpack a.zip")
    with pytest.raises(DiskSpaceError, match=r"to unpack a\.zip: 101 MiB needed .* 100 MiB free"):
        files.require_free_space(tmp_path, 37 * 2**20, "unpack a.zip")


def test_the_leftover_of_a_killed_writer_is_removed_and_that_of_a_running_one_is_kept(tmp_path):
    finished = subprocess.Popen([sys.executable, "-c", ""])
    finished.wait()
    killed = tmp_path / f".part-{finished.pid}-model"
    killed.mkdir()
    running = tmp_path / f".part-{os.getppid()}-model"
    running.write_text("other writer")
    with files.atomic_path(tmp_path / "model") as temporary:
        temporary.write_text("new")
    assert not killed.exists()
    assert running.exists()
    assert (tmp_path / "model").read_text() == "new"
