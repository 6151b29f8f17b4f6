"""Folders of sources: separation, lock, disk space and secrets."""

import logging
import subprocess
import sys
import threading
import time
from collections import namedtuple

import pytest

from mnist_localization.data.sources.source_folder import SourceFolder
from mnist_localization.errors import DiskSpaceError, SourceError
from support import servers
from support.tiny_dataset import NAMES, make_tiny_dataset

PASSWORD = "sesame-open-7"  # noqa: S105


def files_below(folder):
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_each_source_has_its_own_folder(from_upstream, fetched, tiny, tmp_path, raw, server):
    other = make_tiny_dataset(tmp_path / "other", train=12, test=8, seed=2)
    runs = (
        from_upstream,
        lambda: fetched(source="synthetic"),
        lambda: fetched(source="synthetic", synthetic={"seed": 7}),
        lambda: fetched(base_url=server.url),
        lambda: fetched(base_url=str(tiny)),
        lambda: fetched(base_url=str(other)),
    )
    cards, kept = [], {}
    for run in runs:
        cards.append(run())
        after = files_below(raw)
        assert kept.items() <= after.items()
        kept = after
    assert len({card.folder for card in cards}) == len(runs)
    assert [run() for run in reversed(runs)] == cards[::-1]
    assert files_below(raw) == kept


def test_an_empty_base_url_is_not_a_source(fetched):
    for empty in ("", None):
        assert fetched(base_url=empty, source="synthetic").source == "synthetic"


def test_a_base_url_overrides_the_source(fetched, tiny):
    assert fetched(base_url=str(tiny), source="synthetic").source == "base_url"


@pytest.mark.parametrize("change", ["gone", "one gone", "shortened", "one more", "marker"])
def test_changed_images_are_unpacked_again(fetched, tiny, raw, assert_whole, change):
    card = fetched(base_url=str(tiny))
    images = raw / card.folder / card.splits["train"].images
    first = next(images.iterdir())
    if change == "gone":
        for path in images.iterdir():
            path.unlink()
        images.rmdir()
    elif change == "one gone":
        first.unlink()
    elif change == "shortened":
        first.write_bytes(first.read_bytes()[:-1])
    elif change == "one more":
        (images / "mine.png").write_bytes(b"")
    else:
        images.with_name(f"{images.name}.json").write_text("[1, 2", "utf-8")
    assert_whole(fetched(base_url=str(tiny)))


@pytest.mark.parametrize("text", ["", "[]", '{"test_data.csv": 3}', "\0"])
def test_a_damaged_manifest_is_written_again(fetched, server, raw, assert_whole, text):
    card = fetched(base_url=server.url)
    (raw / card.folder / "files.json").write_text(text, "utf-8")
    assert_whole(fetched(base_url=server.url))


def test_a_second_run_waits_for_the_first(fetched, server, assert_whole):
    size = (server.folder / NAMES[0]).stat().st_size
    server.modes[NAMES[0]] = servers.slow(bytes_a_second=2 * size)
    cards = []
    threads = [
        threading.Thread(target=lambda: cards.append(fetched(base_url=server.url)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(cards) == 2
    assert cards[0] == cards[1]
    assert_whole(cards[0])
    assert sorted(server.names()) == sorted(NAMES)


def test_the_wait_for_another_run_is_limited(fetched, tiny, raw):
    folder = raw / fetched(base_url=str(tiny)).folder
    script = (
        "import sys, time\nfrom pathlib import Path\n"
        "from mnist_localization.data.sources.source_folder import SourceFolder\n"
        "with SourceFolder(Path(sys.argv[1])).locked(0):\n"
        "    print('in', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout.readline() == "in\n"
            start = time.monotonic()
            with pytest.raises(SourceError, match=r"another run is still fetching.*wait"):
                fetched(base_url=str(tiny), network={"reach_s": 0.3})
            assert 0.3 <= time.monotonic() - start < 8
        finally:
            other.kill()
    # The lock of a killed process is released.
    with SourceFolder(folder).locked(0):
        pass


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("free_mib", "purpose"),
    [(64, f"copy {NAMES[0]}"), (64.1, f"unpack {NAMES[0]}")],
)
def test_too_little_disk_space_is_an_error_before_writing(
    fetched, tiny, raw, monkeypatch, assert_whole, free_mib, purpose
):
    # The 30 images occupy 120 KiB on disk, and less than half of that in the archive.
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, int(free_mib * 2**20)))
    with pytest.raises(DiskSpaceError, match=f"too little disk space to {purpose}: .*free some"):
        fetched(base_url=str(tiny))
    assert not list(raw.rglob("*.png"))
    monkeypatch.undo()
    assert_whole(fetched(base_url=str(tiny)))


@pytest.mark.parametrize("changes", [{"source": "synthetic"}, {"base_url": "server"}])
def test_downloads_and_synthesis_check_the_disk_space(fetched, server, raw, monkeypatch, changes):
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, 2**20))
    if "base_url" in changes:
        changes = {"base_url": server.url}
    with pytest.raises(DiskSpaceError, match="too little disk space"):
        fetched(**changes)
    assert not list(raw.rglob("*.zip"))


def test_credentials_are_sent_but_never_stored_or_logged(
    fetched, server, raw, caplog, assert_whole
):
    caplog.set_level(logging.DEBUG)
    url = server.url.replace("//", f"//user:{PASSWORD}@") + f"?token={PASSWORD}"
    card = fetched(base_url=url)
    assert_whole(card)
    assert server.authorizations == {"Basic dXNlcjpzZXNhbWUtb3Blbi03"}
    assert card.base_url == server.url
    assert PASSWORD not in str(card)
    for path in raw.rglob("*"):
        assert PASSWORD not in str(path)
        if path.suffix == ".json":
            assert PASSWORD not in path.read_text("utf-8")
    own = [record for record in caplog.records if record.name.startswith("mnist_localization")]
    assert own
    assert PASSWORD not in "".join(record.getMessage() for record in own)


@pytest.mark.parametrize("kind", ["404", "refused", "wrong byte", "port", "space", "label"])
def test_errors_do_not_contain_credentials(fetched, server, sums, kind):
    secret = f"user:{PASSWORD}@"
    server.mode = {"404": servers.responds(404), "wrong byte": servers.wrong_byte}.get(
        kind, servers.complete
    )
    url = {
        "refused": servers.refusing_url().replace("//", f"//{secret}"),
        "port": f"http://{secret}host:99999/",
        "space": f"http://{secret}ho st/",
        "label": f"http://{secret}{'x' * 70}.invalid/",
    }.get(kind, server.url.replace("//", f"//{secret}"))
    with pytest.raises(SourceError) as caught:
        fetched(base_url=url, sha256=sums)
    assert PASSWORD not in str(caught.value)


def test_a_new_password_is_not_a_new_source(fetched, server):
    first = fetched(base_url=server.url.replace("//", "//user:old@"))
    server.requested.clear()
    assert fetched(base_url=server.url.replace("//", "//user:new@")) == first
    assert server.requested == []
