"""Facts about the machine and the checkout."""

import os
import subprocess

import pytest

from mnist_localization.hooks import ProcessHooks
from mnist_localization.runtime import git_state, thread_variables, versions


@pytest.mark.parametrize(("cores", "threads"), [(1, "1"), (2, "1"), (16, "8")])
def test_an_operation_uses_half_of_the_cores(monkeypatch, cores, threads):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert thread_variables() == {"TF_NUM_INTRAOP_THREADS": threads}
    monkeypatch.setattr(os, "environ", dict(os.environ))
    ProcessHooks().before_pipeline_run()
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == threads


@pytest.mark.parametrize(("cores", "threads"), [(None, "1"), (8, "4")])
def test_all_cores_count_if_the_usable_ones_are_unknown(monkeypatch, cores, threads):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert thread_variables() == {"TF_NUM_INTRAOP_THREADS": threads}


def test_a_value_in_the_environment_is_kept(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    assert thread_variables() == {"TF_NUM_INTRAOP_THREADS": "3"}


def test_the_git_state_is_the_commit_and_whether_files_are_changed(tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()

    assert git_state(tmp_path) == {}
    git("init")
    assert git_state(tmp_path) == {}
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "a")
    commit = git("rev-parse", "HEAD")
    (tmp_path / "untracked").touch()
    assert git_state(tmp_path) == {"git_commit": commit, "git_dirty": False}
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path) == {"git_commit": commit, "git_dirty": True}


def test_without_git_the_state_is_empty(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == {}


def test_versions_skip_packages_that_are_not_installed(monkeypatch):
    monkeypatch.setattr("mnist_localization.runtime._PACKAGES", ("numpy", "not-installed"))
    assert sorted(versions()) == ["numpy", "python"]
