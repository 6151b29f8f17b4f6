"""Downloads from servers that work and from servers that fail."""

import hashlib
import time

import pytest

from mnist_localization.errors import SourceError, UnreachableError
from support import servers
from support.tiny_dataset import NAMES

ARCHIVE = NAMES[0]


def test_the_four_files_are_downloaded_and_unpacked(fetched, server, assert_whole):
    card = fetched(base_url=server.url)
    assert (card.source, card.base_url) == ("base_url", server.url)
    assert sorted(server.names()) == sorted(NAMES)
    assert_whole(card)


def test_a_verified_copy_needs_no_server(fetched, tiny, assert_whole):
    with servers.serving(tiny) as server:
        first = fetched(base_url=server.url)
    again = fetched(base_url=server.url)
    assert again == first
    assert_whole(again)


def test_an_interrupted_download_is_resumed(fetched, server, assert_whole):
    server.modes[ARCHIVE] = servers.interrupts(times=1)
    assert_whole(fetched(base_url=server.url))
    ranges = [asked for name, asked in server.requested if name == ARCHIVE]
    size = (server.folder / ARCHIVE).stat().st_size
    assert ranges == [None, f"bytes={size // 2}-"]


def test_an_interrupted_download_restarts_if_the_server_ignores_ranges(
    fetched, server, assert_whole
):
    server.modes[ARCHIVE] = servers.without_ranges(servers.interrupts(times=2))
    assert_whole(fetched(base_url=server.url))
    assert server.names().count(ARCHIVE) == 3


def test_a_later_run_resumes_an_interrupted_download(fetched, server, assert_whole):
    server.modes[ARCHIVE] = servers.interrupts(times=10**6, share=0.2)
    with pytest.raises(UnreachableError, match=f"{ARCHIVE} cannot be reached: .*connection ended"):
        fetched(base_url=server.url)
    assert server.names() == [ARCHIVE] * 3
    server.modes.clear()
    assert_whole(fetched(base_url=server.url))
    assert server.requested[3][1] is not None


def test_a_wrong_partial_file_is_downloaded_again(fetched, server, raw, sums, assert_whole):
    server.modes[ARCHIVE] = servers.interrupts(times=10**6, share=0.2)
    with pytest.raises(UnreachableError):
        fetched(base_url=server.url, sha256=sums)
    (part,) = raw.glob(f"*/.{ARCHIVE}.part")
    part.write_bytes(bytes(part.stat().st_size))
    server.modes.clear()
    server.requested.clear()
    assert_whole(fetched(base_url=server.url, sha256=sums))
    assert [asked is None for name, asked in server.requested if name == ARCHIVE] == [False, True]


def test_a_file_that_changes_between_attempts_is_downloaded_whole(
    fetched, tmp_path, tiny, assert_whole
):
    def changes_content(exchange: servers.Exchange) -> None:
        """Ignore `If-Range` and resume with other content."""
        if exchange.number == 1:
            exchange.content = bytes(len(exchange.content))
            servers.interrupts(times=1)(exchange)
            return
        asked = exchange.handler.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        exchange.head(start=start)
        exchange.send(exchange.content[start:])

    with servers.serving(tiny) as server:
        server.modes[NAMES[1]] = changes_content
        assert_whole(fetched(base_url=server.url))


@pytest.mark.parametrize("status", [503, 429, 500, 408])
def test_an_overloaded_server_is_requested_again(fetched, server, assert_whole, status):
    server.modes[ARCHIVE] = servers.responds(status, times=2)
    assert_whole(fetched(base_url=server.url))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_client_error_is_not_retried(fetched, server, status):
    server.modes["test_data.csv"] = servers.responds(status)
    with pytest.raises(
        SourceError, match=f"test_data.csv: the server responded with {status}"
    ) as caught:
        fetched(base_url=server.url)
    assert not isinstance(caught.value, UnreachableError)
    assert server.names().count("test_data.csv") == 1


@pytest.mark.parametrize(
    "mode",
    [servers.stalls, servers.stalls_halfway, servers.drips, servers.drips_headers],
    ids=lambda mode: mode.__name__,
)
def test_a_stalled_server_is_unreachable_within_the_limit(fetched, server, mode):
    server.mode = mode
    start = time.monotonic()
    with pytest.raises(UnreachableError, match=ARCHIVE):
        fetched(base_url=server.url)
    assert time.monotonic() - start < 8


def test_a_slow_download_has_no_time_limit_while_bytes_arrive(fetched, server, assert_whole):
    size = (server.folder / ARCHIVE).stat().st_size
    server.modes[ARCHIVE] = servers.slow(bytes_a_second=size // 2)
    start = time.monotonic()
    assert_whole(fetched(base_url=server.url, network={"reach_s": 0.5, "retries": 0}))
    assert time.monotonic() - start > 1.5


def test_fewer_bytes_than_declared_are_an_error(fetched, server):
    server.mode = servers.declares_more
    with pytest.raises(UnreachableError, match="connection ended"):
        fetched(base_url=server.url)


def test_a_file_without_length_needs_a_hash(fetched, server, tiny, sums, assert_whole):
    server.modes["training_data.csv"] = servers.without_length(share=0.5)
    with pytest.raises(SourceError, match=r"training_data.csv.*fetch\.sha256"):
        fetched(base_url=server.url)
    with pytest.raises(SourceError, match="training_data.csv: expected SHA-256"):
        fetched(base_url=server.url, sha256=sums)
    server.modes["training_data.csv"] = servers.without_length(share=1.0)
    assert_whole(fetched(base_url=server.url, sha256=sums))


def test_an_encoded_file_is_an_error(fetched, server):
    def gzipped(exchange: servers.Exchange) -> None:
        exchange.head(headers={"Content-Encoding": "gzip"})
        exchange.send(exchange.content)

    server.mode = gzipped
    with pytest.raises(SourceError, match="the encoding gzip"):
        fetched(base_url=server.url)


@pytest.mark.parametrize("name", NAMES)
def test_a_web_page_instead_of_a_file_is_an_error_and_removed(fetched, server, name, assert_whole):
    def page(exchange: servers.Exchange) -> None:
        exchange.content = b"<!DOCTYPE html><title>Sign in</title>"
        exchange.head(headers={"Content-Type": "text/html; charset=utf-8"})
        exchange.send(exchange.content)

    server.modes[name] = page
    with pytest.raises(SourceError, match=f"{name}: the server sent a web page"):
        fetched(base_url=server.url)
    server.modes.clear()
    assert_whole(fetched(base_url=server.url))


def test_redirects_are_followed_up_to_a_limit(fetched, server, tiny, assert_whole):
    with servers.serving(tiny) as front:
        front.modes[ARCHIVE] = servers.redirects(f"{server.url}/{ARCHIVE}")
        assert_whole(fetched(base_url=front.url))
        assert server.names() == [ARCHIVE]
        front.modes[ARCHIVE] = servers.redirects(ARCHIVE)
        with pytest.raises(SourceError, match="redirects"):
            fetched(base_url=f"{front.url}/other")


def test_a_redirect_to_an_unknown_host_is_unreachable(fetched, server):
    server.mode = servers.redirects("http://nowhere.invalid/file")
    with pytest.raises(UnreachableError, match="cannot be reached"):
        fetched(base_url=server.url)


@pytest.mark.parametrize("content", [b"altered", b"", None], ids=["altered", "empty", "gone"])
def test_an_altered_copy_is_downloaded_again(fetched, server, raw, assert_whole, content):
    folder = raw / fetched(base_url=server.url).folder
    if content is None:
        (folder / "test_data.csv").unlink()
    else:
        (folder / "test_data.csv").write_bytes(content)
    server.requested.clear()
    assert_whole(fetched(base_url=server.url))
    assert server.names() == ["test_data.csv"]


def test_a_wrong_hash_is_an_error_and_the_file_is_removed(fetched, server, raw, sums, assert_whole):
    server.modes[ARCHIVE] = servers.wrong_byte
    with pytest.raises(SourceError) as caught:
        fetched(base_url=server.url, sha256=sums)
    altered = bytearray((server.folder / ARCHIVE).read_bytes())
    altered[len(altered) // 2] ^= 1
    for part in (ARCHIVE, sums[ARCHIVE], hashlib.sha256(altered).hexdigest()):
        assert part in str(caught.value)
    assert not [path for path in raw.rglob("*") if ARCHIVE in path.name]
    server.modes.clear()
    assert_whole(fetched(base_url=server.url, sha256=sums))


def test_a_hash_configured_later_verifies_the_copy(fetched, server, sums):
    fetched(base_url=server.url)
    wrong = sums | {"training_data.csv": "0" * 64}
    with pytest.raises(SourceError, match=f"training_data.csv: expected SHA-256 {'0' * 64}, found"):
        fetched(base_url=server.url, sha256=wrong)


def test_a_damaged_archive_without_a_hash_is_removed(fetched, server, assert_whole):
    server.modes[ARCHIVE] = servers.wrong_byte
    with pytest.raises(SourceError, match=f"{ARCHIVE}: the archive is damaged"):
        fetched(base_url=server.url)
    server.modes.clear()
    assert_whole(fetched(base_url=server.url))


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1", "http://host:99999/x", "https://:80/", "http:///only/path"]
)
def test_a_malformed_url_is_an_error(fetched, url):
    with pytest.raises(SourceError, match="not a valid http or https URL"):
        fetched(base_url=url)
