import tarfile
import uuid
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_localization.errors import StorageError
from mnist_localization.folder import Folder
from mnist_localization.storage import Store, is_stored
from support.object_store import s3_bucket


@pytest.fixture(scope="module")
def bucket():
    with s3_bucket() as url:
        yield url


@pytest.fixture(params=["s3", "memory"])
def url(request):
    root = request.getfixturevalue("bucket") if request.param == "s3" else "memory://store"
    return f"{root}/{uuid.uuid4().hex}"


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize("path", ["data", "/data", "file:///data", "https://host/x", "C:/data"])
def test_local_paths_and_web_addresses_are_not_stored(path):
    assert not is_stored(path)


def test_a_local_folder_is_used_in_place(tmp_path):
    folder = Folder.at(f"file://{tmp_path}/data", tmp_path / "copies")
    write(folder.path, {"a": "1"})
    folder.push()
    assert folder.pull() == tmp_path / "data"
    assert content(tmp_path) == {"data/a": "1"}


@pytest.mark.parametrize("url", ["foo://bucket/x", "https://host/x"])
def test_an_address_of_another_kind_is_refused(tmp_path, url):
    with pytest.raises(StorageError, match=r"use a folder, or a URL of s3://"):
        Folder.at(url, tmp_path)


def test_a_folder_is_the_same_on_another_machine(tmp_path, url):
    first, second = (Folder.at(f"{url}/folder", tmp_path / name) for name in ("one", "two"))
    write(first.path, {"a": "1", "b/c": "2"})
    first.push()
    assert content(second.pull()) == {"a": "1", "b/c": "2"}
    (second.path / "a").unlink()
    write(second.path, {"d": "3"})
    second.push()
    assert content(first.pull()) == {"b/c": "2", "d": "3"}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.text("xy", max_size=2))))
def test_any_sequence_of_changes_on_two_machines_is_shared(tmp_path_factory, changes):
    folder, name = tmp_path_factory.mktemp("machines"), uuid.uuid4().hex
    machines = [Folder.at(f"memory://{name}/x", folder / each) for each in ("one", "two")]
    expected: dict[str, str] = {}
    for is_second, file, text in changes:
        machine = machines[is_second]
        machine.pull()
        write(machine.path, {file: text})
        expected[file] = text
        machine.push()
    for machine in machines:
        assert content(machine.pull()) == expected


def test_an_unchanged_folder_is_not_transferred(tmp_path, url, monkeypatch):
    folder = Folder.at(f"{url}/folder", tmp_path)
    write(folder.path, {"a": "1"})
    folder.push()
    monkeypatch.setattr(Store, "put", lambda *_: pytest.fail("uploaded"))
    monkeypatch.setattr(Store, "get", lambda *_: pytest.fail("downloaded"))
    folder.push()
    folder.pull()


def test_a_folder_that_another_machine_removed_is_removed(tmp_path, url):
    first, second = (Folder.at(f"{url}/folder", tmp_path / name) for name in ("one", "two"))
    write(first.path, {"a": "1"})
    first.push()
    second.pull()
    first.remove()
    assert not second.pull().exists()


def test_files_that_were_never_uploaded_are_kept(tmp_path, url):
    folder = Folder.at(f"{url}/folder", tmp_path)
    write(folder.path, {"part": "1"})
    assert content(folder.pull()) == {"part": "1"}


def test_links_and_temporary_files_are_not_uploaded(tmp_path, url):
    first, second = (Folder.at(f"{url}/folder", tmp_path / name) for name in ("one", "two"))
    write(first.path, {"a": "1", ".part-7-b": "2"})
    (first.path / "link").symlink_to("/etc/passwd")
    first.push()
    assert content(second.pull()) == {"a": "1"}


@pytest.mark.parametrize("kind", ["outside", "damaged"])
def test_an_archive_that_is_not_safe_is_refused(tmp_path, url, kind):
    archive = tmp_path / "x.tar"
    archive.write_bytes(b"no archive")
    if kind == "outside":
        (tmp_path / "evil").write_text("x")
        with tarfile.open(archive, "w") as tar:
            tar.add(tmp_path / "evil", "../evil")
    Store(url).put(archive, "folder.tar")
    folder = Folder.at(f"{url}/folder", tmp_path / "copies")
    write(folder.path, {"a": "old"})
    with pytest.raises(StorageError, match="cannot be unpacked"):
        folder.pull()
    assert content(folder.path) == {"a": "old"}


def test_a_mirror_downloads_only_what_has_changed(tmp_path, url, monkeypatch):
    store = Store(url)
    for name in ("a", "b/c", "b/d"):
        store.write(name, name.encode())
    store.mirror(tmp_path)
    assert content(tmp_path) == {"a": "a", "b/c": "b/c", "b/d": "b/d"}
    store.remove("a")
    store.write("b/c", b"changed")
    fetched: list[str] = []
    get = Store.get

    def record(self: Store, name: str, path: Path) -> None:
        fetched.append(name)
        get(self, name, path)

    monkeypatch.setattr(Store, "get", record)
    store.mirror(tmp_path)
    assert fetched == ["b/c"]
    assert content(tmp_path) == {"b/c": "changed", "b/d": "b/d"}


def test_an_object_cannot_leave_the_folder_of_the_mirror(tmp_path, bucket):
    url = f"{bucket}/{uuid.uuid4().hex}"
    Store(url).write("a/../../b", b"")
    with pytest.raises(StorageError, match="not a valid file name"):
        Store(url).mirror(tmp_path)


def test_an_empty_address_is_an_error(tmp_path, url):
    with pytest.raises(StorageError, match="contains no files"):
        Store(url).mirror(tmp_path)


def test_an_object_is_created_once(url):
    store = Store(url)
    assert store.create("lock", b"1")
    assert not store.create("lock", b"2")
    assert store.read("lock") == b"1"


def test_a_missing_bucket_is_named(tmp_path, bucket):
    (tmp_path / "a").write_text("")
    with pytest.raises(StorageError, match=r"s3://no-such-bucket/x/a cannot be read or written"):
        Store("s3://no-such-bucket/x").put(tmp_path / "a", "a")


def test_a_missing_package_names_the_extra(monkeypatch):
    def refuse(*_, **__):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "url_to_fs", refuse)
    with pytest.raises(StorageError, match=r"mnist-localization\[s3\]"):
        Store("s3://bucket")


def test_a_file_of_the_same_time_and_size_is_kept(tmp_path, url):
    Store(url).write("a", b"1")
    Store(url).mirror(tmp_path)
    before = (tmp_path / "a").stat().st_ino
    Store(url).mirror(tmp_path)
    assert (tmp_path / "a").stat().st_ino == before


def test_files_are_transferred_once_and_the_last_one_makes_them_valid(tmp_path, url, monkeypatch):
    one, two = tmp_path / "one", tmp_path / "two"
    two.mkdir()
    write(one, {"a.npy": "1", "b.npy": "2", "table": "x", "last": "v1"})
    Store(url).push_files(one, "last", ".npy")
    Store(url).pull_files(two, "last", ".npy")
    assert content(two) == content(one)

    transfers: list[str] = []
    for method in ("get", "put"):
        original = getattr(Store, method)

        def record(self, first, second, original=original):
            transfers.append(Path(first).name)
            original(self, first, second)

        monkeypatch.setattr(Store, method, record)
    (one / "b.npy").unlink()
    write(one, {"c.npy": "3", "table": "y", "last": "v2"})
    Store(url).push_files(one, "last", ".npy")
    assert transfers == ["c.npy", "table", "last"]
    transfers.clear()
    Store(url).pull_files(two, "last", ".npy")
    assert sorted(transfers) == ["c.npy", "last", "table"]
    assert transfers[-1] == "last"
    assert content(two) == content(one)
    transfers.clear()
    Store(url).push_files(one, "last", ".npy")
    Store(url).pull_files(two, "last", ".npy")
    assert transfers == []


def test_files_that_were_removed_elsewhere_are_not_valid_any_more(tmp_path, url):
    write(tmp_path, {"a.npy": "1", "last": "v1"})
    Store(url).push_files(tmp_path, "last", ".npy")
    Store(url).remove("last")
    Store(url).pull_files(tmp_path, "last", ".npy")
    assert not (tmp_path / "last").exists()
