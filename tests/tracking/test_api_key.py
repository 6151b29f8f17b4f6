"""Where the API key is found, and when the server is used."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader

from mnist_localization.hooks import _credentials
from mnist_localization.tracking import RunContext
from mnist_localization.tracking.client import Client
from support.small_publications import make_tracker, metrics, settings, train
from support.wandb_stub import KEY, StubServer

FROM_KEDRO, FROM_NETRC = "b" * 40, "c" * 40


def used_key(folder: Path, server: StubServer, credentials: dict[str, Any]) -> set[str]:
    """Return the keys that reach the server."""
    import wandb

    server.keys.clear()
    client = Client(RunContext(settings=settings(), credentials=credentials), folder)
    try:
        if client.is_online:
            wandb.Api(timeout=5)
        assert "***" in client.redactor.text(f"the key {max(server.keys, default='***')}")
    finally:
        client.close()
    return set(server.keys)


def test_the_key_comes_from_environment_then_kedro_then_netrc(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: StubServer
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", f"{server.url}/")
    credentials = {"api_key": FROM_KEDRO}
    assert used_key(tmp_path, server, {}) == set()
    netrc = tmp_path / "netrc"
    host = server.url.removeprefix("http://")
    netrc.write_text(
        f"machine elsewhere.org login user password {KEY}\n"
        f"machine {host} login user password {FROM_NETRC}\n"
    )
    monkeypatch.setenv("NETRC", str(netrc))
    assert used_key(tmp_path, server, {}) == {FROM_NETRC}
    assert used_key(tmp_path, server, credentials) == {FROM_KEDRO}
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert used_key(tmp_path, server, credentials) == {KEY}


def test_a_malformed_netrc_contains_no_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: StubServer
) -> None:
    (tmp_path / "netrc").write_text("machine \x00 what is this")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    assert used_key(tmp_path, server, {}) == set()


def test_the_key_among_the_kedro_credentials_is_used(
    tmp_path: Path, server: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    tracker = make_tracker(tmp_path, "evaluate", credentials={"api_key": KEY})
    tracker.log_scores(metrics())
    tracker.close()
    assert server.keys == {KEY}
    assert list(server.exit_codes.values()) == [0]


@pytest.mark.parametrize(
    ("files", "env", "key"),
    [
        ({"local": "local"}, None, "local"),
        ({"local": "local"}, "test", "local"),
        ({"local": "local", "test": "test"}, "test", "test"),
        ({"base": "base", "local": "local"}, "test", "base"),
        ({}, "test", None),
    ],
)
def test_local_credentials_are_used_with_every_environment(
    tmp_path: Path, files: dict[str, str], env: str | None, key: str | None
) -> None:
    for name in ("base", "local", "test"):
        (tmp_path / name).mkdir()
    for name, value in files.items():
        (tmp_path / name / "credentials.yml").write_text(f"wandb: {{api_key: {value}}}")
    loader = OmegaConfigLoader(str(tmp_path), env=env, base_env="base", default_run_env="local")
    context: Any = SimpleNamespace(config_loader=loader)
    assert _credentials(context) == ({"api_key": key} if key else {})


def test_offline_by_parameter_asks_no_server_even_with_a_key(
    tmp_path: Path, account: StubServer
) -> None:
    tracker = make_tracker(tmp_path, "evaluate", settings={"mode": "offline"})
    tracker.log_scores(metrics())
    tracker.close()
    assert account.calls == []


def test_online_without_a_key_records_offline_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = make_tracker(tmp_path, "train", settings={"mode": "online"})
    train(tracker)
    tracker.close()
    (warning,) = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert "no API key is configured" in warning
