"""Downloads: what a server may do wrong, and what is made of it."""

import hashlib
import time

import pytest

from mnist_localization.errors import SourceError, UnreachableError
from support import servers
from support.tiny_dataset import NAMES

ARCHIVE = NAMES[0]


def test_the_four_files_are_brought_and_unpacked(fetched, server, assert_whole):
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


def test_a_broken_off_download_goes_on_where_it_was(fetched, server, assert_whole):
    server.modes[ARCHIVE] = servers.breaks_off(times=1)
    assert_whole(fetched(base_url=server.url))
    ranges = [asked for name, asked in server.asked if name == ARCHIVE]
    size = (server.folder / ARCHIVE).stat().st_size
    assert ranges == [None, f"bytes={size // 2}-"]


def test_a_broken_off_download_starts_again_where_the_server_knows_no_ranges(
    fetched, server, assert_whole
):
    server.modes[ARCHIVE] = servers.without_ranges(servers.breaks_off(times=2))
    assert_whole(fetched(base_url=server.url))
    assert server.names().count(ARCHIVE) == 3


def test_a_later_run_goes_on_where_a_broken_off_one_ended(fetched, server, assert_whole):
    server.modes[ARCHIVE] = servers.breaks_off(times=10**6, share=0.2)
    with pytest.raises(UnreachableError, match=f"{ARCHIVE} cannot be reached: .*broke off"):
        fetched(base_url=server.url)
    assert server.names() == [ARCHIVE] * 3
    server.modes.clear()
    assert_whole(fetched(base_url=server.url))
    assert server.asked[3][1] is not None


def test_a_wrong_part_that_an_earlier_run_left_is_not_gone_on_with_twice(
    fetched, server, raw, sums, assert_whole
):
    server.modes[ARCHIVE] = servers.breaks_off(times=10**6, share=0.2)
    with pytest.raises(UnreachableError):
        fetched(base_url=server.url, sha256=sums)
    (part,) = raw.glob(f"*/.{ARCHIVE}.part")
    part.write_bytes(bytes(part.stat().st_size))
    server.modes.clear()
    server.asked.clear()
    assert_whole(fetched(base_url=server.url, sha256=sums))
    assert [asked is None for name, asked in server.asked if name == ARCHIVE] == [False, True]


def test_a_file_that_changes_between_the_attempts_is_not_pieced_together(
    fetched, tmp_path, tiny, assert_whole
):
    def changes_its_mind(exchange: servers.Exchange) -> None:
        """Ignores `If-Range`: goes on with other content than it began with."""
        if exchange.number == 1:
            exchange.content = bytes(len(exchange.content))
            servers.breaks_off(times=1)(exchange)
            return
        asked = exchange.handler.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        exchange.head(start=start)
        exchange.send(exchange.content[start:])

    with servers.serving(tiny) as server:
        server.modes[NAMES[1]] = changes_its_mind
        assert_whole(fetched(base_url=server.url))


@pytest.mark.parametrize("status", [503, 429, 500, 408])
def test_an_overloaded_server_is_asked_again(fetched, server, assert_whole, status):
    server.modes[ARCHIVE] = servers.answers(status, times=2)
    assert_whole(fetched(base_url=server.url))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_an_error_at_once(fetched, server, status):
    server.modes["test_data.csv"] = servers.answers(status)
    with pytest.raises(SourceError, match=f"test_data.csv: the server answered {status}") as caught:
        fetched(base_url=server.url)
    assert not isinstance(caught.value, UnreachableError)
    assert server.names().count("test_data.csv") == 1


@pytest.mark.parametrize(
    "mode",
    [servers.stalls, servers.stalls_half_way, servers.drips, servers.drips_headers],
    ids=lambda mode: mode.__name__,
)
def test_no_server_holds_a_run_up(fetched, server, mode):
    server.mode = mode
    start = time.monotonic()
    with pytest.raises(UnreachableError, match=ARCHIVE):
        fetched(base_url=server.url)
    assert time.monotonic() - start < 8


def test_a_slow_server_has_all_the_time_it_takes_while_bytes_come(fetched, server, assert_whole):
    size = (server.folder / ARCHIVE).stat().st_size
    server.modes[ARCHIVE] = servers.slow(bytes_a_second=size // 2)
    start = time.monotonic()
    assert_whole(fetched(base_url=server.url, network={"reach_s": 0.5, "retries": 0}))
    assert time.monotonic() - start > 1.5


def test_a_promise_of_more_bytes_than_come_is_a_broken_download(fetched, server):
    server.mode = servers.promises_more
    with pytest.raises(UnreachableError, match="broke off"):
        fetched(base_url=server.url)


def test_without_a_length_and_a_sum_a_part_could_pass_for_the_whole(
    fetched, server, tiny, sums, assert_whole
):
    server.modes["training_data.csv"] = servers.says_no_length(share=0.5)
    with pytest.raises(SourceError, match=r"training_data.csv.*fetch\.sha256"):
        fetched(base_url=server.url)
    with pytest.raises(SourceError, match="training_data.csv: expected SHA-256"):
        fetched(base_url=server.url, sha256=sums)
    server.modes["training_data.csv"] = servers.says_no_length(share=1.0)
    assert_whole(fetched(base_url=server.url, sha256=sums))


def test_a_file_that_is_sent_encoded_is_refused(fetched, server):
    def gzipped(exchange: servers.Exchange) -> None:
        exchange.head(**{"Content-Encoding": "gzip"})
        exchange.send(exchange.content)

    server.mode = gzipped
    with pytest.raises(SourceError, match="encoded"):
        fetched(base_url=server.url)


@pytest.mark.parametrize("name", NAMES)
def test_a_web_page_in_a_files_place_is_refused_and_not_kept(fetched, server, name, assert_whole):
    def page(exchange: servers.Exchange) -> None:
        exchange.content = b"<!DOCTYPE html><title>Sign in</title>"
        exchange.head(**{"Content-Type": "text/html; charset=utf-8"})
        exchange.send(exchange.content)

    server.modes[name] = page
    with pytest.raises(SourceError, match=f"{name}: the server sent a web page"):
        fetched(base_url=server.url)
    server.modes.clear()
    assert_whole(fetched(base_url=server.url))


def test_redirects_are_followed_but_not_for_ever(fetched, server, tiny, assert_whole):
    with servers.serving(tiny) as front:
        front.modes[ARCHIVE] = servers.redirects(f"{server.url}/{ARCHIVE}")
        assert_whole(fetched(base_url=front.url))
        assert server.names() == [ARCHIVE]
        front.modes[ARCHIVE] = servers.redirects(ARCHIVE)
        with pytest.raises(SourceError, match="redirects"):
            fetched(base_url=f"{front.url}/other")


def test_a_redirect_to_a_name_nobody_knows_is_no_answer(fetched, server):
    server.mode = servers.redirects("http://nowhere.invalid/file")
    with pytest.raises(UnreachableError, match="cannot be reached"):
        fetched(base_url=server.url)


@pytest.mark.parametrize("content", [b"altered", b"", None], ids=["altered", "empty", "gone"])
def test_an_altered_copy_is_found_out_and_fetched_anew(fetched, server, raw, assert_whole, content):
    folder = raw / fetched(base_url=server.url).folder
    if content is None:
        (folder / "test_data.csv").unlink()
    else:
        (folder / "test_data.csv").write_bytes(content)
    server.asked.clear()
    assert_whole(fetched(base_url=server.url))
    assert server.names() == ["test_data.csv"]


def test_a_wrong_byte_is_told_by_the_sum_and_nothing_of_it_stays(
    fetched, server, raw, sums, assert_whole
):
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


def test_a_sum_that_is_given_later_is_held_against_the_copy(fetched, server, sums):
    fetched(base_url=server.url)
    wrong = sums | {"training_data.csv": "0" * 64}
    with pytest.raises(SourceError, match=f"training_data.csv: expected SHA-256 {'0' * 64}, found"):
        fetched(base_url=server.url, sha256=wrong)


def test_a_damaged_archive_without_a_sum_is_not_kept(fetched, server, assert_whole):
    server.modes[ARCHIVE] = servers.wrong_byte
    with pytest.raises(SourceError, match=f"{ARCHIVE}: the archive is damaged"):
        fetched(base_url=server.url)
    server.modes.clear()
    assert_whole(fetched(base_url=server.url))


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1", "http://host:99999/x", "https://:80/", "http:///only/path"]
)
def test_what_is_no_url_is_said_to_be_none(fetched, url):
    with pytest.raises(SourceError, match="usable"):
        fetched(base_url=url)
