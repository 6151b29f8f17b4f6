"""Unpacking of untrusted archives."""

import io
import os
import stat
import struct
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.config.data import UnpackSettings
from mnist_localization.data.sources.archives import unpack
from mnist_localization.errors import ArchiveError

LIMITS = UnpackSettings(max_files=50, max_total_mb=2, max_file_mb=1, max_ratio=100)
MEBIBYTE = 2**20


@pytest.fixture
def place(tmp_path):
    """Folder to unpack an archive in; nothing may appear in its parent folder."""
    place = tmp_path / "outer" / "place"
    place.mkdir(parents=True)
    return place


def packed(path, members, method=zipfile.ZIP_DEFLATED):
    """Write a zip archive of (name or ZipInfo, content) pairs, in that order."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def info(name, mode=0, **attributes):
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made


def unpacked(archive, limits=LIMITS, key="key"):
    folder = archive.parent / "images"
    return unpack(archive, key, folder, limits), folder


def assert_invalid(archive, message, limits=LIMITS):
    """Assert that the error names the archive and that no file is left behind."""
    before = set(archive.parent.parent.rglob("*"))
    with pytest.raises(ArchiveError, match=message) as caught:
        unpacked(archive, limits)
    assert str(archive) in str(caught.value)
    assert set(archive.parent.parent.rglob("*")) == before


def test_a_shared_top_folder_is_removed_from_the_paths(place):
    members = [("Top/", b""), ("Top/a.png", b"1"), ("Top/sub/b.PNG", b"22"), ("Top/c.txt", b"")]
    images, folder = unpacked(packed(place / "x.zip", members))
    assert images == 2
    assert {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    } == {"a.png": b"1", "sub/b.PNG": b"22", "c.txt": b""}


def test_paths_without_a_shared_folder_are_kept(place):
    images, folder = unpacked(packed(place / "x.zip", [("A/a.png", b"1"), ("b.png", b"2")]))
    assert images == 2
    assert (folder / "A" / "a.png").read_bytes() == b"1"


def test_files_added_by_macos_and_windows_are_skipped(place):
    members = [("T/a.png", b"1"), ("__MACOSX/T/._a.png", b"x"), ("T/.DS_Store", b"x")]
    images, folder = unpacked(packed(place / "x.zip", members))
    assert images == 1
    assert [path.name for path in folder.iterdir()] == ["a.png"]


def test_backslashes_separate_folders(place):
    member = zipfile.ZipInfo("T/x/a.png")
    archive = packed(place / "x.zip", [("T/b.png", b"1"), (member, b"2")])
    raw = archive.read_bytes().replace(b"T/x/a.png", b"T\\x\\a.png")
    archive.write_bytes(raw)
    images, folder = unpacked(archive)
    assert images == 2
    assert (folder / "x" / "a.png").read_bytes() == b"2"


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "T/../../evil.png",
        "/evil.png",
        "//host/evil.png",
        "..",
        ".",
        "C:/evil.png",
        "..\\evil.png",
        "T\\..\\..\\evil.png",
        "../evil/",
        "T/ok.png\0/../../evil.png",
    ],
)
def test_a_member_outside_the_folder_is_an_error(place, name):
    member = zipfile.ZipInfo("x" * len(name))
    archive = packed(place / "x.zip", [("T/a.png", b"1"), (member, b"evil")])
    # Replace a name of the same length, because `zipfile` corrects unsafe names.
    raw = archive.read_bytes().replace(b"x" * len(name), name.encode())
    archive.write_bytes(raw)
    assert_invalid(archive, "outside the folder")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])
def test_links_and_devices_are_errors(place, kind):
    members = [("T/a.png", b"1"), (info("T/link", kind | 0o777), b"/etc/passwd")]
    assert_invalid(packed(place / "x.zip", members), "link or device")


@pytest.mark.parametrize(
    ("members", "limit"),
    [
        ([(f"T/{number}.png", b"") for number in range(51)], "max_files"),
        ([("T/a.png", os.urandom(MEBIBYTE + 1))], "max_file_mb"),
        ([(f"T/{number}.png", os.urandom(MEBIBYTE)) for number in range(3)], "max_total_mb"),
        ([("T/a.png", bytes(MEBIBYTE))], "max_ratio"),
    ],
    ids=["files", "file", "total", "ratio"],
)
def test_an_archive_over_a_limit_is_an_error_before_anything_is_written(place, members, limit):
    assert_invalid(packed(place / "x.zip", members), rf"fetch\.unpack\.{limit} = ")


def test_an_archive_that_declares_wrong_sizes_is_an_error(place):
    content = os.urandom(1000) * 500
    archive = packed(place / "x.zip", [("T/a.png", content)])
    true, claimed = struct.pack("<L", len(content)), struct.pack("<L", 10)
    archive.write_bytes(archive.read_bytes().replace(true, claimed))
    assert_invalid(archive, "damaged|does not have the size")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_archive_is_an_error(place, share):
    archive = packed(place / "x.zip", [(f"T/{n}.png", os.urandom(500)) for n in range(5)])
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * share)])
    assert_invalid(archive, "damaged")


def test_an_altered_byte_of_a_member_is_an_error(place):
    archive = packed(place / "x.zip", [("T/a.png", b"0123456789" * 10)], zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"0123456789", b"0123456780", 1))
    assert_invalid(archive, "damaged.*CRC")


def test_an_encrypted_archive_is_an_error(place):
    archive = packed(place / "x.zip", [("T/a.png", b"1")])
    raw = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    archive.write_bytes(raw)
    assert_invalid(archive, "'T/a.png' is encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_methods_are_errors(place, method):
    assert_invalid(packed(place / "x.zip", [("T/a.png", b"1")], method), "store or deflate")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names", [("T/a.png", "T/a.png"), ("T/a.png", "T/A.PNG"), ("T/x/a.png", "T/X/a.png")]
)
def test_names_that_differ_only_in_case_are_errors(place, names):
    members = [(name, b"1") for name in names]
    assert_invalid(packed(place / "x.zip", members), "two members are named")


@pytest.mark.parametrize(
    "members",
    [[("T/a", b"1"), ("T/a/b.png", b"1")], [("T/a/b.png", b"1"), ("T/a", b"1")]],
    ids=["file first", "folder first"],
)
def test_a_file_that_is_also_a_folder_is_an_error(place, members):
    assert_invalid(packed(place / "x.zip", members), "cannot be written")


def test_a_name_too_long_for_the_file_system_is_an_error(place):
    assert_invalid(packed(place / "x.zip", [("T/" + "a" * 300, b"1")]), "cannot be written")


@pytest.mark.parametrize("members", [[], [("T/", b"")], [("__MACOSX/x", b"")]])
def test_an_archive_without_files_is_an_error(place, members):
    assert_invalid(packed(place / "x.zip", members), "contains no files")


def test_a_file_that_is_not_an_archive_is_an_error(place):
    (place / "x.zip").write_text("<html>Sign in, please</html>", "utf-8")
    assert_invalid(place / "x.zip", "damaged")


def test_an_invalid_archive_keeps_the_files_unpacked_before(place):
    good = packed(place / "x.zip", [("T/a.png", b"good")])
    unpacked(good, key="good")
    packed(good, [("T/../../a.png", b"evil")])
    with pytest.raises(ArchiveError):
        unpacked(good, key="evil")
    packed(good, [("T/a.png", b"good")])
    assert unpacked(good, key="good")[1].joinpath("a.png").read_bytes() == b"good"


def test_another_archive_replaces_the_files_of_the_first(place):
    unpacked(packed(place / "x.zip", [("T/a.png", b"1"), ("T/b.png", b"2")]), key="first")
    images, folder = unpacked(packed(place / "x.zip", [("T/c.png", b"3")]), key="second")
    assert images == 1
    assert [path.name for path in folder.iterdir()] == ["c.png"]


def test_unpacking_again_after_a_kill_removes_the_partial_files(place):
    (place / ".images.part").mkdir()
    (place / ".images.part" / "half.png").write_bytes(b"half")
    images, folder = unpacked(packed(place / "x.zip", [("T/a.png", b"1")]))
    assert images == 1
    assert [path.name for path in folder.iterdir()] == ["a.png"]
    assert not (place / ".images.part").exists()


def test_files_of_the_same_archive_are_kept(place):
    archive = packed(place / "x.zip", [("T/a.png", b"1")])
    _, folder = unpacked(archive)
    made = folder.stat().st_mtime_ns, (folder / "a.png").stat().st_ino
    unpacked(archive)
    assert (folder.stat().st_mtime_ns, (folder / "a.png").stat().st_ino) == made


@given(at=st.integers(0, 10**6), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_an_altered_archive_unpacks_correctly_or_is_an_archive_error(at, value, cut):
    """Allow a changed name, because only the hash of the file would show it."""
    buffer = io.BytesIO()
    contents = {f"T/{number}.png": bytes([number]) * 40 for number in range(3)}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    raw = bytearray(buffer.getvalue())
    raw[at % len(raw)] = value
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "outer" / "place"
        place.mkdir(parents=True)
        (place / "x.zip").write_bytes(raw[: len(raw) - cut])
        try:
            _, folder = unpacked(place / "x.zip")
        except ArchiveError:
            assert [path.name for path in place.iterdir()] == ["x.zip"]
        else:
            found = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
            assert set(found) <= set(contents.values())
        assert [path.name for path in place.parent.iterdir()] == ["place"]
