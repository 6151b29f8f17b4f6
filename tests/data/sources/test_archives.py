"""Archives that are not trusted."""

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

from mnist_localization.config import UnpackSettings
from mnist_localization.data.sources.archives import unpack
from mnist_localization.errors import ArchiveError

LIMITS = UnpackSettings(max_files=50, max_total_mb=2, max_file_mb=1, max_ratio=100)
MEBIBYTE = 2**20


@pytest.fixture
def place(tmp_path):
    """A folder in which an archive is unpacked, inside one in which nothing may appear."""
    place = tmp_path / "outer" / "place"
    place.mkdir(parents=True)
    return place


def packed(path, members, method=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, content) pairs, in that order."""
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


def assert_refused(archive, message, limits=LIMITS):
    """Refused by a message that names the archive, and nothing is left of it anywhere."""
    before = set(archive.parent.parent.rglob("*"))
    with pytest.raises(ArchiveError, match=message) as caught:
        unpacked(archive, limits)
    assert str(archive) in str(caught.value)
    assert set(archive.parent.parent.rglob("*")) == before


def test_the_folder_that_all_members_share_is_left_out(place):
    members = [("Top/", b""), ("Top/a.png", b"1"), ("Top/sub/b.PNG", b"22"), ("Top/c.txt", b"")]
    images, folder = unpacked(packed(place / "x.zip", members))
    assert images == 2
    assert {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    } == {"a.png": b"1", "sub/b.PNG": b"22", "c.txt": b""}


def test_without_a_shared_folder_paths_stay(place):
    images, folder = unpacked(packed(place / "x.zip", [("A/a.png", b"1"), ("b.png", b"2")]))
    assert images == 2
    assert (folder / "A" / "a.png").read_bytes() == b"1"


def test_what_macos_and_windows_add_is_left_out(place):
    members = [("T/a.png", b"1"), ("__MACOSX/T/._a.png", b"x"), ("T/.DS_Store", b"x")]
    images, folder = unpacked(packed(place / "x.zip", members))
    assert images == 1
    assert [path.name for path in folder.iterdir()] == ["a.png"]


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
def test_a_member_that_leaves_the_folder_is_refused(place, name):
    member = zipfile.ZipInfo("x" * len(name))
    archive = packed(place / "x.zip", [("T/a.png", b"1"), (member, b"evil")])
    # Written under another name of the same length, as `zipfile` mends what it is given.
    raw = archive.read_bytes().replace(b"x" * len(name), name.encode())
    archive.write_bytes(raw)
    assert_refused(archive, "would leave the folder")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])
def test_links_and_devices_are_refused(place, kind):
    members = [("T/a.png", b"1"), (info("T/link", kind | 0o777), b"/etc/passwd")]
    assert_refused(packed(place / "x.zip", members), "link or device")


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
def test_a_bomb_is_refused_before_anything_is_written(place, members, limit):
    assert_refused(packed(place / "x.zip", members), rf"fetch\.unpack\.{limit} = ")


def test_a_bomb_that_lies_about_its_size_fills_no_disk(place):
    content = os.urandom(1000) * 500
    archive = packed(place / "x.zip", [("T/a.png", content)])
    true, claimed = struct.pack("<L", len(content)), struct.pack("<L", 10)
    archive.write_bytes(archive.read_bytes().replace(true, claimed))
    assert_refused(archive, "damaged|not as long")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_archive_is_refused(place, share):
    archive = packed(place / "x.zip", [(f"T/{n}.png", os.urandom(500)) for n in range(5)])
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * share)])
    assert_refused(archive, "damaged")


def test_an_altered_byte_of_a_member_is_found(place):
    archive = packed(place / "x.zip", [("T/a.png", b"0123456789" * 10)], zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"0123456789", b"0123456780", 1))
    assert_refused(archive, "damaged.*CRC")


def test_an_encrypted_archive_is_refused(place):
    archive = packed(place / "x.zip", [("T/a.png", b"1")])
    raw = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    archive.write_bytes(raw)
    assert_refused(archive, "'T/a.png' is encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_ways_of_packing_are_refused(place, method):
    assert_refused(packed(place / "x.zip", [("T/a.png", b"1")], method), "store and deflate")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names", [("T/a.png", "T/a.png"), ("T/a.png", "T/A.PNG"), ("T/x/a.png", "T/X/a.png")]
)
def test_names_that_are_one_file_somewhere_are_refused(place, names):
    members = [(name, b"1") for name in names]
    assert_refused(packed(place / "x.zip", members), "two members are named")


@pytest.mark.parametrize(
    "members",
    [[("T/a", b"1"), ("T/a/b.png", b"1")], [("T/a/b.png", b"1"), ("T/a", b"1")]],
    ids=["file first", "folder first"],
)
def test_a_file_that_is_also_a_folder_is_refused(place, members):
    assert_refused(packed(place / "x.zip", members), "cannot be written")


def test_a_name_that_no_disk_takes_is_refused(place):
    assert_refused(packed(place / "x.zip", [("T/" + "a" * 300, b"1")]), "cannot be written")


@pytest.mark.parametrize("members", [[], [("T/", b"")], [("__MACOSX/x", b"")]])
def test_an_archive_without_files_is_refused(place, members):
    assert_refused(packed(place / "x.zip", members), "holds no files")


def test_what_is_no_archive_is_refused(place):
    (place / "x.zip").write_text("<html>Sign in, please</html>", "utf-8")
    assert_refused(place / "x.zip", "damaged")


def test_a_refused_archive_leaves_what_was_unpacked_before(place):
    good = packed(place / "x.zip", [("T/a.png", b"good")])
    unpacked(good, key="good")
    packed(good, [("T/../../a.png", b"evil")])
    with pytest.raises(ArchiveError):
        unpacked(good, key="evil")
    packed(good, [("T/a.png", b"good")])
    assert unpacked(good, key="good")[1].joinpath("a.png").read_bytes() == b"good"


def test_another_archive_takes_the_place_of_the_first(place):
    unpacked(packed(place / "x.zip", [("T/a.png", b"1"), ("T/b.png", b"2")]), key="first")
    images, folder = unpacked(packed(place / "x.zip", [("T/c.png", b"3")]), key="second")
    assert images == 1
    assert [path.name for path in folder.iterdir()] == ["c.png"]


def test_an_unpacking_that_was_killed_is_done_again(place):
    (place / ".images.part").mkdir()
    (place / ".images.part" / "half.png").write_bytes(b"half")
    images, folder = unpacked(packed(place / "x.zip", [("T/a.png", b"1")]))
    assert images == 1
    assert [path.name for path in folder.iterdir()] == ["a.png"]
    assert not (place / ".images.part").exists()


def test_what_was_unpacked_from_the_same_archive_is_kept(place):
    archive = packed(place / "x.zip", [("T/a.png", b"1")])
    _, folder = unpacked(archive)
    made = folder.stat().st_mtime_ns, (folder / "a.png").stat().st_ino
    unpacked(archive)
    assert (folder.stat().st_mtime_ns, (folder / "a.png").stat().st_ino) == made


@given(at=st.integers(0, 10**6), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_whatever_byte_is_changed_the_outcome_is_right_or_an_archive_error(at, value, cut):
    """A changed name passes: nothing but the file's hash can tell; content and place may not."""
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
