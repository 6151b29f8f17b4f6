"""Downloads with a limit on every wait, retried and resumed.

Written on `requests` rather than on a downloader: what counts as unreachable has to be told
from what is wrong, all attempts share one limit, and a broken-off file goes on where it was.
"""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from mnist_localization.config import NetworkSettings
from mnist_localization.errors import SourceError, UnreachableError
from mnist_localization.sources.disk import require_free_space

logger = logging.getLogger(__name__)

_BLOCK = 2**16
# Slower than this, in bytes a second over one `read_s`, counts as a stall.
_SLOWEST = 1024
_UNREACHABLE_STATUS = (429, 500, 502, 503, 504)


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

    def fetch(self, url: str, path: Path) -> None:
        """Download one file, beside and renamed by the caller once it is verified.

        Args:
            url: Where it lies, http or https.
            path: The unverified file; a partial one is gone on with where the server agrees.

        Raises:
            UnreachableError: The server does not answer within the limit.
            SourceError: It answers that the file is not to be had, or the URL is unusable.
        """
        shown = shown_url(url)
        failure = "no attempt was made"
        for attempt in range(self._settings.retries + 1):
            if attempt:
                self._wait(min(self._settings.backoff_s * 2 ** (attempt - 1), self._patience))
            if self._patience <= 0:
                break
            try:
                with self._counted():
                    self._attempt(url, path)
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

    def _attempt(self, url: str, path: Path) -> None:
        self._require_name_resolution(url)
        have = path.stat().st_size if path.exists() else 0
        tag_path = path.with_name(f"{path.name}.tag")
        tag = tag_path.read_text("utf-8") if tag_path.exists() else ""
        headers = {"Accept-Encoding": "identity"}
        if have and tag:
            headers |= {"Range": f"bytes={have}-", "If-Range": tag}
        read_s = max(0.1, min(self._settings.read_s, self._patience))
        connect_s = max(0.1, min(self._settings.connect_s, self._patience))
        try:
            with self._session.get(
                url, headers=headers, stream=True, timeout=(connect_s, read_s)
            ) as response:
                if response.status_code == 416:
                    path.unlink(missing_ok=True)
                    raise _BrokenError("the server does not know the part that was asked for")
                _check_status(response, shown_url(url))
                goes_on = response.status_code == 206 and _range_start(response) == have
                if response.status_code == 206 and not goes_on:
                    path.unlink(missing_ok=True)
                    raise _BrokenError("the server sent another part than was asked for")
                _remember(tag_path, response)
                self._receive(response, path, have if goes_on else 0)
        except requests.exceptions.SSLError as error:
            raise SourceError(
                f"{shown_url(url)}: the server's certificate is not trusted ({_brief(error)}); "
                "check the clock and the certificates of this machine"
            ) from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise SourceError(
                f"{shown_url(url)} is no usable http or https URL ({_brief(error)}); correct it"
            ) from error
        except (requests.RequestException, HTTPError, OSError) as error:
            if isinstance(error, OSError) and error.filename:
                raise
            raise _BrokenError(_brief(error)) from error
        tag_path.unlink(missing_ok=True)

    def _receive(self, response: requests.Response, path: Path, have: int) -> None:
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        if total is not None:
            require_free_space(path.parent, total - have, f"download {path.name}")
        with (
            path.open("ab" if have else "wb") as file,
            tqdm(
                total=total,
                initial=have,
                desc=path.name.removesuffix(".part"),
                unit="B",
                unit_scale=True,
                disable=None,
            ) as bar,
        ):
            window_start, window_bytes = time.monotonic(), 0
            for block in response.iter_content(_BLOCK):
                file.write(block)
                bar.update(len(block))
                have += len(block)
                window_bytes += len(block)
                passed = time.monotonic() - window_start
                if passed >= self._settings.read_s:
                    if window_bytes < _SLOWEST * passed:
                        raise _BrokenError(f"the server sends less than {_SLOWEST} bytes a second")
                    window_start, window_bytes = time.monotonic(), 0
                if window_bytes >= _SLOWEST * passed:
                    self._progress = time.monotonic()
        if total is not None and have != total:
            raise _BrokenError(f"the server broke off after {have:,} of {total:,} bytes")

    def _require_name_resolution(self, url: str) -> None:
        """Resolve the host in a thread: the system's own resolving knows no limit."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SourceError(f"{shown_url(url)} is no usable http or https URL; correct it")
        if requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)):
            return  # the proxy resolves it
        outcome: list[OSError | None] = []

        def resolve(host: str) -> None:
            try:
                socket.getaddrinfo(host, parts.port or parts.scheme)
                outcome.append(None)
            except OSError as error:
                outcome.append(error)

        thread = threading.Thread(target=resolve, args=(parts.hostname,), daemon=True)
        thread.start()
        thread.join(min(self._settings.connect_s, self._patience))
        if not outcome:
            raise _BrokenError(f"the name {parts.hostname} was not resolved in time")
        if outcome[0] is not None:
            raise _BrokenError(f"the name {parts.hostname} is unknown ({outcome[0]})")


def shown_url(url: str) -> str:
    """A URL without credentials and query, fit for logs and cards."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port:
        host = f"{host}:{parts.port}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def file_url(folder_url: str, name: str) -> str:
    """URL of a file that lies directly in a folder; the folder's query is kept."""
    parts = urlsplit(folder_url)
    path = f"{parts.path.rstrip('/')}/{quote(name)}"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _check_status(response: requests.Response, shown: str) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status in _UNREACHABLE_STATUS or status >= 500:
        raise _BrokenError(f"the server answered {status} {response.reason}")
    raise SourceError(
        f"{shown}: the server answered {status} {response.reason}; check the address and whether "
        "it may be read without signing in"
    )


def _remember(tag_path: Path, response: requests.Response) -> None:
    """Keep what tells this very content from another, for going on with it later."""
    tag = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
    if tag and not tag.startswith("W/"):
        tag_path.write_text(tag, "utf-8")
    else:
        tag_path.unlink(missing_ok=True)


def _range_start(response: requests.Response) -> int | None:
    words = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")
    return int(words[0]) if words[0].isdigit() else None


def _brief(error: BaseException) -> str:
    """The innermost reason of an error of `requests`, without the address in it."""
    inner: BaseException = error
    while True:
        deeper = getattr(inner, "reason", None) or (inner.args[0] if inner.args else None)
        if not isinstance(deeper, BaseException):
            break
        inner = deeper
    text = str(inner).rpartition(": ")[2] or type(inner).__name__
    return f"{type(inner).__name__}: {text}" if text != type(inner).__name__ else text
