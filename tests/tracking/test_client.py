"""Limits of the client: `wandb sync` is replaced by a few lines of Python."""

import sys
import time
from pathlib import Path

import pytest

from mnist_localization.tracking import RunContext
from mnist_localization.tracking import client as client_module
from mnist_localization.tracking.client import Client
from support.small_publications import settings
from support.wandb_stub import KEY, StubServer

LIMIT_S = 2.5
# Time of a busy machine until a process has started.
SLACK_S = 3.0


@pytest.fixture
def client(tmp_path: Path, account: StubServer) -> Client:
    assert account.url
    return Client(RunContext(settings=settings(timeout_s=LIMIT_S)), tmp_path / "wandb")


def replace_sync(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    program = "\n".join(["import pathlib, sys, time", *lines])
    monkeypatch.setattr(client_module, "_SYNC", (sys.executable, "-c", program))


def printed(line: str, times: int, pause_s: float = 0.3) -> tuple[str, ...]:
    return (
        f"for number in range({times}):",
        f"    print(f{line!r}, flush=True)",
        f"    time.sleep({pause_s})",
    )


def test_an_upload_that_progresses_may_take_longer_than_the_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: Client
) -> None:
    replace_sync(
        monkeypatch,
        *printed("wandb: {number} files left", 9),
        "pathlib.Path(sys.argv[1], 'run.wandb.synced').touch()",
    )
    folder = tmp_path / "run"
    folder.mkdir()
    started = time.monotonic()
    assert client.sync([folder]) == [folder]
    assert time.monotonic() - started > LIMIT_S
    assert client.is_online


def test_an_upload_without_an_end_is_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: Client
) -> None:
    monkeypatch.setattr(client_module, "_PATIENCE", 1)
    replace_sync(monkeypatch, *printed("wandb: {number} files left", 1000))
    started = time.monotonic()
    assert client.sync([tmp_path]) == []
    assert time.monotonic() - started < LIMIT_S + SLACK_S
    assert not client.is_online


@pytest.mark.parametrize(
    "line",
    [
        "wandb: WARNING attempt {number} failed, retrying",
        "wandb: ERROR attempt {number} failed",
        "wandb: uploading model.keras",
    ],
)
def test_another_attempt_is_not_progress(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    client: Client,
    caplog: pytest.LogCaptureFixture,
    line: str,
) -> None:
    replace_sync(monkeypatch, *printed(line, 1000))
    started = time.monotonic()
    assert client.sync([tmp_path]) == []
    assert time.monotonic() - started < LIMIT_S + SLACK_S
    assert not client.is_online
    assert "does not accept the upload in time" in caplog.text


def test_waits_share_one_limit(client: Client) -> None:
    started = time.monotonic()
    for seconds in (0.5, 0.5, 60.0, 60.0):
        client.ask("sleep", lambda seconds=seconds: time.sleep(seconds))  # type: ignore[misc]
    assert LIMIT_S - 1.0 < time.monotonic() - started < LIMIT_S + SLACK_S


def test_the_environment_is_restored(
    monkeypatch: pytest.MonkeyPatch, client: Client, account: StubServer
) -> None:
    import os

    monkeypatch.setenv("WANDB_MODE", "online")
    before = dict(os.environ)
    assert client.is_online
    assert os.environ["WANDB_DIR"]
    assert "WANDB_MODE" not in os.environ
    client.close()
    assert dict(os.environ) == before
    assert account.count("Viewer") == 0, "no request is needed to find the key"


def test_a_key_at_the_end_of_a_truncated_message_is_removed(
    client: Client, account: StubServer
) -> None:
    assert account.url
    reason = client.reason(ValueError("x" * 290 + KEY))
    assert reason.startswith("x" * 290 + "***")
    assert "aaa" not in reason
