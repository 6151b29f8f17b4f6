"""Fixtures that run `fetch` with short waits on a tiny dataset."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist_localization.data.dataset_card import DatasetCard, FileEntry
from mnist_localization.data.sources import fetch
from support.fetch_settings import make_settings
from support.servers import serving
from support.tiny_dataset import NAMES, make_tiny_dataset


def blob_id(content: bytes) -> str:
    head = f"blob {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """Folder with the four files; tests must not change it."""
    return make_tiny_dataset(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def sums(tiny) -> dict[str, str]:
    """SHA-256 by file name."""
    return {name: sha256((tiny / name).read_bytes()) for name in NAMES}


@pytest.fixture
def server(tiny):
    with serving(tiny) as server:
        yield server


@pytest.fixture
def raw(tmp_path) -> Path:
    return tmp_path / "raw"


@pytest.fixture
def fetched(raw, tmp_path) -> Callable[..., DatasetCard]:
    """Function that fetches with changes to the base configuration."""

    def run(**changes: Any) -> DatasetCard:
        return fetch(make_settings(**changes), raw, tmp_path)

    return run


@pytest.fixture
def from_upstream(fetched, server, tiny) -> Callable[..., DatasetCard]:
    """Function that fetches from a local server instead of upstream."""

    def run(url: str | None = None, **changes: Any) -> DatasetCard:
        blob_ids = {name: blob_id((tiny / name).read_bytes()) for name in NAMES}
        return fetched(upstream={"url": url or server.url, "blob_ids": blob_ids}, **changes)

    return run


@pytest.fixture
def assert_whole(raw, tiny) -> Callable[..., None]:
    """Function that asserts that all files of a card are complete, without partial files."""

    def check(card: DatasetCard, origin: Path = tiny) -> None:
        folder = raw / card.folder
        for name in NAMES:
            content = (origin / name).read_bytes()
            assert (folder / name).read_bytes() == content
            assert card.files[name] == FileEntry(size=len(content), sha256=sha256(content))
        for split, rows in (("train", "training_data.csv"), ("test", "test_data.csv")):
            files = {line.split(",")[0] for line in (origin / rows).read_text().splitlines()}
            images = folder / card.splits[split].images
            assert {path.name for path in images.iterdir()} == files
            assert getattr(card, f"{split}_images") == len(files)
        assert not list(folder.rglob("*.part*"))

    return check
