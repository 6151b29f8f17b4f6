"""A local folder as `fetch.base_url`."""

import logging
import os
import shutil

import pytest

from mnist_localization.errors import SourceError, UnreachableError
from support.tiny_dataset import NAMES, make_tiny_dataset


@pytest.fixture
def origin(tiny, tmp_path):
    """Copy of the four files below the project folder."""
    return shutil.copytree(tiny, tmp_path / "my files" / "digits")


def state(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize("form", ["absolute", "relative", "dotted", "file URL", "trailing slash"])
def test_a_folder_is_a_source_and_is_never_changed(fetched, origin, assert_whole, form):
    before = state(origin)
    base_url = {
        "absolute": str(origin),
        "relative": "my files/digits",
        "dotted": "./my files/../my files/digits",
        "file URL": origin.as_uri(),
        "trailing slash": f"{origin}/",
    }[form]
    card = fetched(base_url=base_url)
    assert (card.source, card.base_url) == ("base_url", base_url)
    assert_whole(card)
    assert state(origin) == before


def test_all_spellings_of_a_folder_are_one_source(fetched, origin):
    spellings = (str(origin), f"{origin}/", "my files/digits", origin.as_uri())
    assert len({fetched(base_url=base_url).folder for base_url in spellings}) == 1


def test_a_tilde_is_the_home_folder(fetched, origin, monkeypatch, assert_whole):
    monkeypatch.setenv("HOME", str(origin.parent))
    assert_whole(fetched(base_url="~/digits"))


@pytest.mark.parametrize(
    ("base_url", "message"),
    [
        ("nowhere", "nowhere.*cannot be read"),
        ("my files/digits/test_data.csv", "cannot be read"),
        ("~nobody-of-this-name/digits", "nobody-of-this-name"),
        ("ftp://host/digits", "scheme 'ftp'"),
        ("file://elsewhere/digits", "machine 'elsewhere'"),
    ],
)
def test_other_base_urls_are_errors(fetched, origin, raw, base_url, message):
    with pytest.raises(SourceError, match=message):
        fetched(base_url=base_url)
    assert not list(raw.glob("synthetic*"))


def test_a_folder_instead_of_a_file_is_an_error(fetched, origin):
    (origin / "test_data.csv").unlink()
    (origin / "test_data.csv").mkdir()
    with pytest.raises(UnreachableError, match="test_data.csv cannot be read"):
        fetched(base_url=str(origin))


def test_a_changed_original_is_copied_again(fetched, origin, tmp_path, assert_whole):
    fetched(base_url=str(origin))
    other = make_tiny_dataset(tmp_path / "other", train=12, test=8, seed=2)
    for name in NAMES:
        shutil.copyfile(other / name, origin / name)
    card = fetched(base_url=str(origin))
    assert (card.train_images, card.test_images) == (12, 8)
    assert_whole(card, other)


def test_an_altered_copy_is_copied_again(fetched, origin, raw, assert_whole):
    card = fetched(base_url=str(origin))
    copy = raw / card.folder / "training_data.csv"
    kept = copy.stat()
    altered = bytearray(copy.read_bytes())
    altered[0] ^= 1
    copy.write_bytes(altered)
    os.utime(copy, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert_whole(fetched(base_url=str(origin)))


def test_a_wrong_hash_is_an_error_and_the_copy_is_removed(fetched, origin, raw, sums, assert_whole):
    name, right = "training_data.csv", (origin / "training_data.csv").read_bytes()
    (origin / name).write_bytes(right[:-2] + b"9\n")
    before = state(origin)
    with pytest.raises(SourceError, match=f"{name}: expected SHA-256 {sums[name]}, found"):
        fetched(base_url=str(origin), sha256=sums)
    assert state(origin) == before
    assert not [path for path in raw.rglob("*") if name in path.name]
    (origin / name).write_bytes(right)
    assert_whole(fetched(base_url=str(origin), sha256=sums))


def test_hashes_may_be_upper_case(fetched, origin, sums, assert_whole):
    upper = {name: value.upper() for name, value in sums.items()}
    assert_whole(fetched(base_url=str(origin), sha256=upper))


def test_a_verified_copy_is_used_after_the_original_is_deleted(
    fetched, origin, caplog, assert_whole
):
    first = fetched(base_url=str(origin))
    shutil.rmtree(origin)
    again = fetched(base_url=str(origin))
    assert again == first
    assert_whole(again)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == len(NAMES)


def test_a_hash_of_an_unknown_file_is_an_error(fetched, origin):
    with pytest.raises(SourceError, match="fetch.sha256 names train.zip"):
        fetched(base_url=str(origin), sha256={"train.zip": "0" * 64})


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"test_csv": "Training_Data.csv"}, "four names must differ"),
        ({"test_archive": "mnist_converted_training.ZIPX"}, "without their suffix"),
        ({"test_csv": "images"}, "reserved"),
        ({"test_csv": "files.json"}, "reserved"),
        ({"test_csv": ".lock"}, "reserved"),
    ],
)
def test_names_that_collide_are_errors(fetched, origin, files, message):
    with pytest.raises(SourceError, match=message):
        fetched(base_url=str(origin), files=files)


def test_archive_and_csv_may_differ_only_in_the_suffix(fetched, tiny, tmp_path, raw):
    names = dict(
        zip(
            ("train_archive", "train_csv", "test_archive", "test_csv"),
            ("train.zip", "train.csv", "test.zip", "test.csv"),
            strict=True,
        )
    )
    own = tmp_path / "own"
    own.mkdir()
    for name, ours in zip(NAMES, names.values(), strict=True):
        shutil.copyfile(tiny / name, own / ours)
    card = fetched(base_url="own", files=names)
    assert (card.train_images, card.test_images) == (30, 10)
