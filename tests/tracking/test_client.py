"""How long is waited for the W&B client: its process is replaced by a few lines."""

import time
from pathlib import Path

import pytest

from mnist_localization.tracking import client as client_module
from mnist_localization.tracking.client import Client
from mnist_localization.tracking.run_context import RunContext
from mnist_localization.tracking.uploader import Uploader
from support.small_publications import settings
from support.wandb_stub import StubServer

FOR_EVER = 1000
# Of a busy machine, until a process has started.
SLACK_S = 5.0


def started(monkeypatch: pytest.MonkeyPatch, folder: Path, *lines: str) -> Client:
    """A client whose process runs these lines of Python."""
    replace_process(monkeypatch, folder, *lines)
    return Client({}, {})


def replace_process(monkeypatch: pytest.MonkeyPatch, folder: Path, *lines: str) -> None:
    program = folder / "program.py"
    program.write_text("\n".join(["import json, pathlib, sys, time", *lines]))
    monkeypatch.setattr(client_module, "_PROCESS", program)


def say(line: str, times: int) -> tuple[str, ...]:
    return (
        f"for number in range({times}):",
        f"    print(f{line!r}, flush=True)",
        "    time.sleep(0.1)",
    )


def test_progress_is_no_silence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client = started(monkeypatch, tmp_path, *say("wandb: {number} files left", 40))
    silent = client.wait(1.0, FOR_EVER)
    assert not client.timed_out
    assert silent < 1.0
    assert client.said == "wandb: 39 files left"


def test_progress_without_an_end_is_bounded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client = started(monkeypatch, tmp_path, *say("wandb: {number} files left", FOR_EVER))
    at = time.monotonic()
    client.wait(FOR_EVER, 1.0)
    assert client.timed_out
    assert time.monotonic() - at < 1.0 + SLACK_S


@pytest.mark.parametrize(
    "line",
    [
        "wandb: WARNING attempt {number} failed, retrying",
        "wandb: ERROR attempt {number} failed",
        "wandb: uploading model.keras",
    ],
)
def test_another_attempt_is_no_progress(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str
) -> None:
    client = started(monkeypatch, tmp_path, *say(line, FOR_EVER))
    at = time.monotonic()
    assert client.wait(1.0, FOR_EVER) >= 1.0
    assert client.timed_out
    assert time.monotonic() - at < 2.0 + SLACK_S


def test_what_a_slow_success_has_cost_is_not_given_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, account: StubServer
) -> None:
    replace_process(
        monkeypatch,
        tmp_path,
        "(folder,) = json.loads(sys.stdin.readline())['folders']",
        "time.sleep(3)",
        "pathlib.Path(folder, 'run.wandb.synced').touch()",
    )
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    uploader = Uploader(RunContext(settings=settings(timeout_s=3.0)), tmp_path)
    assert [uploader.sync([folder]) for folder in folders] == [True, False]
    assert account.count("Viewer") == 1
