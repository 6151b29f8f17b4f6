from collections.abc import Iterator
from pathlib import Path

import pytest

from support.small_publications import Published, isolate
from support.wandb_stub import KEY, StubServer


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path / "home")


@pytest.fixture
def server() -> Iterator[StubServer]:
    stub = StubServer()
    yield stub
    stub.close()
    assert stub.unknown == []


@pytest.fixture
def account(server: StubServer, monkeypatch: pytest.MonkeyPatch) -> StubServer:
    """Start a server, and put a key to it into the environment."""
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    return server


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    whole = Published(tmp_path_factory.mktemp("published"))
    yield whole
    whole.server.close()
    assert whole.server.unknown == []
