"""Downloads with a limit on every wait, retried and resumed.

Written on `requests` rather than on a downloader: what counts as unreachable has to be told
from what is wrong, all attempts share one limit, and a broken-off file goes on where it was.
"""

import logging
import queue
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from mnist_localization.config import NetworkSettings
from mnist_localization.data.sources.urls import shown_url
from mnist_localization.errors import SourceError, UnreachableError
from mnist_localization.files import require_free_space

logger = logging.getLogger(__name__)

_BLOCK = 2**16
# Slower than this, in bytes a second over one `read_s`, counts as a stall.
_SLOWEST = 1024
# How often the disk is asked for room where the server does not say how much will come.
_SPACE_STEP = 2**24
# A proxy that wants a password, a time-out and a limit on requests, beside all from 500 on.
_UNREACHABLE_STATUS = (407, 408, 429)


class _BrokenError(Exception):
    """One attempt failed in a way that another may not."""


class Downloader:
    """Fetches files of one source; the limit on unreachability counts over all of them."""

    def __init__(self, settings: NetworkSettings) -> None:
        """Start with the whole limit.

        Args:
            settings: Limits on every wait.
        """
        self._settings = settings
        self._patience = settings.reach_s
        self._session = requests.Session()
        self._session.max_redirects = 5

    def fetch(self, url: str, path: Path, *, hash_known: bool) -> None:
        """Download one file, beside and renamed by the caller once it is verified.

        Args:
            url: Where it lies, http or https.
            path: The unverified file; a partial one is gone on with where the server agrees.
            hash_known: Whether the caller can tell a whole file from a part. If not, a server
                that does not say where the file ends is refused.

        Raises:
            UnreachableError: The server does not answer within the limit.
            SourceError: It answers that the file is not to be had, or the URL is unusable.
        """
        shown = shown_url(url)
        logger.info("Downloading %s", shown)
        failure = "the time for all attempts is used up"
        for attempt in range(self._settings.retries + 1):
            if attempt:
                self._wait(min(self._settings.backoff_s * 2 ** (attempt - 1), self._patience))
            if self._patience <= 0:
                break
            try:
                with self._counted():
                    self._attempt(url, path, hash_known=hash_known)
                return
            except _BrokenError as error:
                failure = str(error)
                logger.info("%s: %s (attempt %d)", shown, failure, attempt + 1)
        raise UnreachableError(f"{shown} cannot be reached: {failure}")

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Takes the time without progress off the limit."""
        self._progress = time.monotonic()
        try:
            yield
        finally:
            self._patience -= time.monotonic() - self._progress

    def _wait(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
        self._patience -= seconds

    def _attempt(self, url: str, path: Path, *, hash_known: bool) -> None:
        have = path.stat().st_size if path.exists() else 0
        tag_path = path.with_name(f"{path.name}.tag")
        tag = tag_path.read_text("utf-8") if tag_path.exists() else ""
        headers = {"Accept-Encoding": "identity"}
        if have and tag:
            headers |= {"Range": f"bytes={have}-", "If-Range": tag}
        with closing(self._answer(url, headers)) as response:
            if response.status_code == 416:
                path.unlink(missing_ok=True)
                raise _BrokenError("the server does not know the part that was asked for")
            _check_answer(response, shown_url(url), hash_known=hash_known)
            found = _tag(response)
            if response.status_code == 206:
                if _range_start(response) != have or found not in ("", tag):
                    path.unlink(missing_ok=True)
                    raise _BrokenError("the server sent another part than was asked for")
            else:
                have = 0
                tag_path.write_text(found, "utf-8")
            self._receive(response, path, have)
        tag_path.unlink(missing_ok=True)

    def _answer(self, url: str, headers: dict[str, str]) -> requests.Response:
        """Ask in a thread: resolving names, and headers that drip in, know no limit."""
        read_s = max(0.1, min(self._settings.read_s, self._patience))
        connect_s = max(0.1, min(self._settings.connect_s, self._patience))
        answers: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(
                    self._session.get(
                        url, headers=headers, stream=True, timeout=(connect_s, read_s)
                    )
                )
            except Exception as error:
                answers.put(error)

        threading.Thread(target=ask, daemon=True).start()
        limit = max(0.1, min(connect_s + read_s, self._patience))
        try:
            answer = answers.get(timeout=limit)
        except queue.Empty:
            raise _BrokenError(f"no answer within {limit:.1f} seconds") from None
        if isinstance(answer, Exception):
            raise _judged(answer, shown_url(url)) from answer
        return answer

    def _receive(self, response: requests.Response, path: Path, have: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        purpose = f"download {path.name}"
        require_free_space(path.parent, total - have if total else 0, purpose)
        with (
            path.open("ab" if have else "wb") as file,
            tqdm(
                total=total,
                initial=have,
                desc=path.name.removeprefix(".").removesuffix(".part"),
                unit="B",
                unit_scale=True,
                disable=None,
            ) as bar,
        ):
            for block in self._blocks(response):
                file.write(block)
                bar.update(len(block))
                if total is None and have // _SPACE_STEP < (have + len(block)) // _SPACE_STEP:
                    require_free_space(path.parent, 0, purpose)
                have += len(block)
        if total is not None and have != total:
            raise _BrokenError(f"the server broke off after {have:,} of {total:,} bytes")

    def _blocks(self, response: requests.Response) -> Iterator[bytes]:
        """What comes, as it comes; an error of the network only, never one of the disk."""
        start, received = time.monotonic(), 0
        while True:
            try:
                # Not `iter_content`: it waits for a whole block, however slowly bytes drip in.
                block = response.raw.read1(_BLOCK, decode_content=False)
            except (requests.RequestException, HTTPError, OSError) as error:
                raise _BrokenError(f"the server broke off ({_brief(error)})") from error
            if not block:
                return
            yield block
            received += len(block)
            passed = time.monotonic() - start
            if received >= _SLOWEST * passed:
                self._progress = time.monotonic()
            if passed >= self._settings.read_s:
                if received < _SLOWEST * passed:
                    raise _BrokenError(f"the server sends less than {_SLOWEST} bytes a second")
                start, received = time.monotonic(), 0


def _check_answer(response: requests.Response, shown: str, *, hash_known: bool) -> None:
    status = response.status_code
    if status in _UNREACHABLE_STATUS or status >= 500:
        raise _BrokenError(f"the server answered {status} {response.reason}")
    if status not in (200, 206):
        raise SourceError(
            f"{shown}: the server answered {status} {response.reason}; check the address and "
            "whether it may be read without signing in"
        )
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise SourceError(
            f"{shown}: the server sent a web page in the file's place; give the address of the "
            "files themselves, not of a page that shows them, and check whether one has to sign in"
        )
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity":
        raise SourceError(
            f"{shown}: the server sends the file encoded ({encoding}), although asked not to; "
            "download it by other means and name its folder by fetch.base_url"
        )
    chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if not (hash_known or chunked or response.headers.get("Content-Length", "").isdigit()):
        raise SourceError(
            f"{shown}: the server does not say how long the file is, so that a part of it could "
            "pass for the whole; give the file's SHA-256 in fetch.sha256"
        )


def _judged(error: Exception, shown: str) -> Exception:
    """What an error without any answer means: try again, or never."""
    if isinstance(_innermost(error), ssl.SSLCertVerificationError):
        return SourceError(
            f"{shown}: the server's certificate is not trusted ({_brief(error)}); check the clock "
            "and the certificates of this machine, or go on with fetch.source=synthetic"
        )
    if isinstance(error, requests.TooManyRedirects):
        return SourceError(f"{shown}: the server redirects again and again; check the address")
    if isinstance(error, requests.RequestException) and isinstance(error, ValueError):
        # What makes an URL unusable is told with the URL, and so with its password.
        return SourceError(f"{shown} is no usable http or https URL; correct it")
    if isinstance(error, requests.RequestException | HTTPError | OSError):
        return _BrokenError(_brief(error))
    return error


def _tag(response: requests.Response) -> str:
    """What tells this very content from another, for going on with it later."""
    tag = response.headers.get("ETag", "")
    if not tag or tag.startswith("W/"):
        tag = response.headers.get("Last-Modified", "")
    return tag


def _range_start(response: requests.Response) -> int | None:
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdigit() else None


def _innermost(error: BaseException) -> BaseException:
    while True:
        deeper = getattr(error, "reason", None)
        if not isinstance(deeper, BaseException):
            deeper = next((a for a in reversed(error.args) if isinstance(a, BaseException)), None)
        if deeper is None:
            return error
        error = deeper


def _brief(error: BaseException) -> str:
    """The innermost reason of an error of `requests`, without the address in it."""
    inner = _innermost(error)
    name, text = type(inner).__name__, str(inner).rpartition(": ")[2]
    return f"{name}: {text}" if text else name
