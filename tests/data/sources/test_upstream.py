"""The published dataset, and when the synthetic stand-in replaces it."""

import logging

import pytest

from mnist_localization.errors import SourceError, UnreachableError
from support import servers
from support.tiny_dataset import NAMES


def test_upstream_is_the_published_commit(fetched, monkeypatch):
    asked = []

    def unreachable(_, url, path, **__):
        asked.append(url)
        raise UnreachableError(url)

    monkeypatch.setattr("mnist_localization.data.sources.download.Downloader.fetch", unreachable)
    with pytest.raises(UnreachableError):
        fetched(on_unreachable="error")
    assert asked == [
        "https://raw.githubusercontent.com/ayulockin/synthetic_datasets/"
        "d5ff0b4c7ef623f7b5c3de38b4281ff698782cd3/MNIST/MNIST_Converted_Training.zip"
    ]


def test_files_are_verified_by_their_git_blob_ids(from_upstream, server, assert_whole):
    card = from_upstream()
    assert (card.source, card.requested_source) == ("upstream", "upstream")
    assert (card.folder, card.fallback_reason) == ("upstream", None)
    assert_whole(card)


def test_a_verified_copy_of_upstream_needs_no_network(from_upstream, caplog, assert_whole):
    from_upstream()
    card = from_upstream(servers.refusing_url())
    assert card.source == "upstream"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert_whole(card)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_hash_is_an_error_without_a_stand_in(
    from_upstream, server, raw, name, assert_whole
):
    server.modes[name] = servers.wrong_byte
    with pytest.raises(SourceError, match=f"{name}: expected git blob id [0-9a-f]+, found"):
        from_upstream()
    assert {path.name for path in raw.iterdir()} == {"upstream"}
    assert not [path for path in raw.rglob("*") if name in path.name]
    server.modes.clear()
    assert_whole(from_upstream())


@pytest.mark.parametrize("status", [403, 404])
def test_a_client_error_is_an_error_without_a_stand_in(from_upstream, server, raw, status):
    server.modes["test_data.csv"] = servers.responds(status)
    with pytest.raises(SourceError, match=f"responded with {status}"):
        from_upstream()
    assert not list(raw.glob("synthetic*"))


def unreachable_addresses():
    yield "refused", servers.refusing_url, None
    yield "no such name", lambda: "http://nowhere.invalid/folder", None
    yield "503", None, servers.responds(503)
    yield "429", None, servers.responds(429)
    yield "silent", None, servers.stalls
    yield "breaks off", None, servers.interrupts(times=10**6)


@pytest.mark.parametrize(
    ("url", "mode"),
    [pytest.param(*case, id=name) for name, *case in unreachable_addresses()],
)
def test_an_unreachable_upstream_is_replaced_with_one_warning(
    from_upstream, server, caplog, url, mode
):
    server.mode = mode or servers.complete
    card = from_upstream(url and url())
    assert (card.source, card.requested_source) == ("synthetic", "upstream")
    assert "cannot be reached" in card.fallback_reason
    assert (card.train_images, card.test_images) == (20, 10)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    text = warnings[0].getMessage()
    assert "SYNTHETIC" in text
    assert card.fallback_reason in text
    assert "fetch.base_url=" in text


def test_on_unreachable_error_prevents_the_stand_in(from_upstream, raw):
    with pytest.raises(UnreachableError, match=r"cannot be reached.*fetch\.base_url"):
        from_upstream(servers.refusing_url(), on_unreachable="error")
    assert not list(raw.glob("synthetic*"))


def test_an_unreachable_base_url_has_no_stand_in(fetched, raw):
    with pytest.raises(UnreachableError, match=r"cannot be reached.*check fetch\.base_url"):
        fetched(base_url=servers.refusing_url())
    assert not list(raw.glob("synthetic*"))


def test_a_failing_proxy_makes_upstream_unreachable(from_upstream, server, tiny, monkeypatch):
    monkeypatch.setenv("http_proxy", servers.refusing_url())
    monkeypatch.setenv("no_proxy", "")
    assert from_upstream("http://upstream.invalid/folder").source == "synthetic"
    with servers.serving(tiny, servers.responds(407)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert from_upstream("http://upstream.invalid/folder").source == "synthetic"
        assert proxy.requested


def test_upstream_is_requested_again_after_a_stand_in(from_upstream, assert_whole):
    from_upstream(servers.refusing_url())
    card = from_upstream()
    assert card.source == "upstream"
    assert_whole(card)


@pytest.mark.parametrize("url", ["", "somewhere", "ftp://host/folder"])
def test_upstream_needs_an_http_url(from_upstream, url):
    with pytest.raises(SourceError, match=r"fetch\.upstream\.url"):
        from_upstream(url or "folder")


def test_each_file_of_upstream_needs_a_blob_id(fetched):
    with pytest.raises(SourceError, match="blob_ids lacks test_data.csv"):
        fetched(upstream={"blob_ids": dict.fromkeys(NAMES[:3], "0" * 40)})
