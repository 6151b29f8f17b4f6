"""Datasets on object stores, downloaded to the raw folder."""

import uuid
from pathlib import Path

import pytest
from PIL import Image

from mnist_localization.data.annotations.reading import read_annotations
from mnist_localization.data.sources import fetch
from mnist_localization.errors import UnreachableError
from mnist_localization.storage import Store
from support.settings import section


@pytest.fixture
def url(tmp_path):
    """Fill a bucket with three images in a folder and their CSV."""
    url = f"memory://{uuid.uuid4().hex}"
    for number in range(3):
        path = tmp_path / f"{number}.png"
        Image.new("L", (100, 100), number).save(path)
        Store(url).put(path, f"images/cat/{number}.png")
    Store(url).write("boxes.csv", b"cat/0.png,0,0,0,1,1\ncat/1.png,1,0,0,1,1\ncat/2.png,2,0,0,1,1")
    return url


def fetch_folder(url: str, raw: Path):
    folder = {"path": url, "train_images": "images", "train_annotations": "boxes.csv"}
    return fetch(section("fetch", source="folder", folder=folder), raw, raw.parent)


def test_images_of_a_bucket_are_read_like_those_of_a_folder(tmp_path, url):
    card = fetch_folder(url, tmp_path / "raw")
    assert card.train_images == 3
    root = tmp_path / "raw" / card.folder
    files = card.splits["train"]
    annotations = read_annotations(
        root / files.annotations, root / files.images, root, section("dataset")
    )
    assert annotations.table["label"].tolist() == [0, 1, 2]


def test_only_changed_images_are_downloaded_again(tmp_path, url, monkeypatch):
    card = fetch_folder(url, tmp_path / "raw")
    fetched: list[str] = []
    get = Store.get

    def record(self, name, path):
        fetched.append(name)
        get(self, name, path)

    monkeypatch.setattr(Store, "get", record)
    assert fetch_folder(url, tmp_path / "raw").images_sha256("train") == card.images_sha256("train")
    assert fetched == []
    Image.new("L", (50, 50)).save(tmp_path / "new.png")
    Store(url).put(tmp_path / "new.png", "images/cat/1.png")
    changed = fetch_folder(url, tmp_path / "raw")
    assert fetched == ["images/cat/1.png"]
    assert changed.images_sha256("train") != card.images_sha256("train")


def test_two_machines_see_the_same_dataset(tmp_path, url):
    cards = [fetch_folder(url, tmp_path / name / "raw") for name in ("one", "two")]
    assert cards[0] == cards[1]


def test_missing_files_of_a_base_url_are_named(tmp_path, url):
    with pytest.raises(UnreachableError, match=rf"{url}/.* does not exist.*four files"):
        fetch(section("fetch", base_url=url), tmp_path / "raw", tmp_path)
