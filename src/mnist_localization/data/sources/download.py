"""Addresses of sources, and resumable downloads with a limit on every wait.

A general downloader does not distinguish an unreachable server from an invalid response, and does
not apply one time limit to all attempts, so this module is written on `requests`.
"""

import logging
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from mnist_localization.config.data import NetworkSettings
from mnist_localization.errors import SourceError, UnreachableError, causes
from mnist_localization.files import require_free_space

logger = logging.getLogger(__name__)

_BLOCK = 2**16
# A slower transfer, in bytes per second over one `read_s`, counts as stalled.
_MIN_SPEED = 1024
# Proxy authentication required, request timeout, too many requests; also all from 500.
_UNREACHABLE_STATUS = (407, 408, 429)


def is_remote(base_url: str) -> bool:
    """Return whether a base URL is an http or https URL.

    Raises:
        SourceError: The URL starts with http or https but is malformed.
    """
    if not base_url.lower().startswith(("http:", "https:")):
        return False
    try:
        parts = urlsplit(base_url)
        is_valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise SourceError(
            "the address of the source is not a valid http or https URL; use the form "
            "https://host/folder in fetch.base_url or fetch.upstream.url"
        )
    return True


def local_path(base_url: str, project_folder: Path) -> Path:
    """Return the local folder of a base URL.

    Args:
        base_url: Path, or `file:` URL of this machine.
        project_folder: Base of a relative path.

    Raises:
        SourceError: The base URL is neither.
    """
    if base_url.lower().startswith("file:"):
        parts = urlsplit(base_url)
        if parts.netloc not in ("", "localhost"):
            raise SourceError(
                f"fetch.base_url names a file on the machine {parts.netloc!r}; only files of this "
                "machine can be read: use file:///folder or a path"
            )
        return (project_folder / unquote(parts.path)).resolve()
    if "://" in base_url:
        raise SourceError(
            f"fetch.base_url has the scheme {base_url.partition(':')[0]!r}; use an http or https "
            "URL, or a path"
        )
    try:
        return (project_folder / Path(base_url).expanduser()).resolve()
    except RuntimeError as error:
        raise SourceError(
            f"fetch.base_url is {base_url!r}: {error}; write the path without ~"
        ) from error


def file_url(folder_url: str, name: str) -> str:
    """Return the URL of a file in a folder, with the query of the folder's URL."""
    parts = urlsplit(folder_url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(name)}", fragment=""))


def public_url(url: str) -> str:
    """Return a URL without credentials and query, for logs and the dataset card."""
    return urlunsplit(_without_credentials(url)._replace(query=""))


def source_identity(url: str) -> str:
    """Return a URL without credentials, because a new password is not a new source."""
    parts = _without_credentials(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/")))


def _without_credentials(url: str) -> SplitResult:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2].lower(), fragment="")


class _AttemptError(Exception):
    """A failed attempt; another one may succeed."""


class Downloader:
    """Downloader for the files of one source; the limit `reach_s` applies to all of them."""

    def __init__(self, settings: NetworkSettings) -> None:
        """Start with the full time limit."""
        self._settings = settings
        self._remaining_s = settings.reach_s
        self._session = requests.Session()
        self._session.max_redirects = 5

    def fetch(self, url: str, path: Path, *, hash_known: bool) -> None:
        """Download one file.

        Args:
            url: http or https URL.
            path: Destination. A partial file is resumed if the server confirms that the content
                is unchanged.
            hash_known: Whether the caller can detect a truncated file. If not, a server that does
                not declare the end of the file is an error.

        Raises:
            UnreachableError: The server does not respond within the limit.
            SourceError: The server does not provide the file, or the URL is invalid.
        """
        shown = public_url(url)
        logger.info("Downloading %s", shown)
        failure = "the time limit for all attempts is used up"
        for attempt in range(self._settings.retries + 1):
            if attempt:
                backoff_s = self._settings.backoff_s * 2 ** (attempt - 1)
                wait_s = max(0.0, min(backoff_s, self._remaining_s))
                time.sleep(wait_s)
                self._remaining_s -= wait_s
            if self._remaining_s <= 0:
                break
            self._last_progress = time.monotonic()
            try:
                self._attempt(url, path, hash_known=hash_known)
                return
            except _AttemptError as error:
                failure = str(error)
                logger.info("%s: %s (attempt %d)", shown, failure, attempt + 1)
            finally:
                self._remaining_s -= time.monotonic() - self._last_progress
        raise UnreachableError(f"{shown} cannot be reached: {failure}")

    def _attempt(self, url: str, path: Path, *, hash_known: bool) -> None:
        size = path.stat().st_size if path.exists() else 0
        tag_path = path.with_name(f"{path.name}.tag")
        tag = tag_path.read_text("utf-8") if tag_path.exists() else ""
        headers = {"Accept-Encoding": "identity"}
        if size and tag:
            headers |= {"Range": f"bytes={size}-", "If-Range": tag}
        with self._respond(url, headers) as response:
            new_tag = _content_tag(response)
            if response.status_code in (206, 416):
                content_range = response.headers.get("Content-Range", "")
                if not content_range.startswith(f"bytes {size}-") or new_tag not in ("", tag):
                    path.unlink(missing_ok=True)
                    raise _AttemptError("the server did not send the requested range")
            _require_valid(response, public_url(url), hash_known=hash_known)
            if response.status_code == 200:
                size = 0
                tag_path.write_text(new_tag, "utf-8")
            self._receive(response, path, size)
        tag_path.unlink(missing_ok=True)

    def _respond(self, url: str, headers: dict[str, str]) -> requests.Response:
        """Send the request in a thread, because resolving names has no time limit."""
        read_s = max(0.1, min(self._settings.read_s, self._remaining_s))
        connect_s = max(0.1, min(self._settings.connect_s, self._remaining_s))
        limit_s = max(0.1, min(connect_s + read_s, self._remaining_s))
        response: Future[requests.Response] = Future()

        def request() -> None:
            try:
                timeout = (connect_s, read_s)
                response.set_result(
                    self._session.get(url, headers=headers, stream=True, timeout=timeout)
                )
            except Exception as error:
                response.set_exception(error)

        threading.Thread(target=request, daemon=True).start()
        try:
            return response.result(limit_s)
        except TimeoutError:
            raise _AttemptError(f"no response within {limit_s:.1f} seconds") from None
        except (HTTPError, OSError) as error:
            raise _classify(error, public_url(url)) from error

    def _receive(self, response: requests.Response, path: Path, size: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = size + int(length) if length.isdigit() else None
        name = path.name.removeprefix(".").removesuffix(".part")
        require_free_space(path.parent, total - size if total else 0, f"download {name}")
        bar = tqdm(total=total, initial=size, desc=name, unit="B", unit_scale=True, disable=None)
        with bar, path.open("ab" if size else "wb") as file:
            for block in self._blocks(response):
                if total is None:
                    require_free_space(path.parent, len(block), f"download {name}")
                file.write(block)
                bar.update(len(block))
                size += len(block)
        if total is not None and size != total:
            raise _AttemptError(f"the connection ended after {size:,} of {total:,} bytes")

    def _blocks(self, response: requests.Response) -> Iterator[bytes]:
        """Yield bytes as they arrive; only network errors become failed attempts."""
        start, received = time.monotonic(), 0
        while True:
            try:
                # `iter_content` waits for a full block, however slowly the bytes arrive.
                block = response.raw.read1(_BLOCK, decode_content=False)
            except (HTTPError, OSError) as error:
                raise _AttemptError(f"the connection ended ({_reason(error)})") from error
            if not block:
                return
            yield block
            received += len(block)
            passed = time.monotonic() - start
            if received >= _MIN_SPEED * passed:
                self._last_progress = time.monotonic()
            if passed >= self._settings.read_s:
                if received < _MIN_SPEED * passed:
                    raise _AttemptError(f"the server sends less than {_MIN_SPEED} bytes a second")
                start, received = time.monotonic(), 0


def _require_valid(response: requests.Response, shown: str, *, hash_known: bool) -> None:
    status = response.status_code
    if status in _UNREACHABLE_STATUS or status >= 500:
        raise _AttemptError(f"the server responded with {status} {response.reason}")
    headers = response.headers
    encoding = headers.get("Content-Encoding", "identity").lower()
    chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
    if status not in (200, 206):
        problem = (
            f"responded with {status} {response.reason}; check the address and whether it can be "
            "read without signing in"
        )
    elif headers.get("Content-Type", "").lower().startswith("text/html"):
        problem = (
            "sent a web page instead of the file; use the address of the files themselves, not of "
            "a page about them, and check whether it can be read without signing in"
        )
    elif encoding != "identity":
        problem = (
            f"sent the file with the encoding {encoding}, although the request excludes it; "
            "download the file by other means and set fetch.base_url to its folder"
        )
    elif not (hash_known or chunked or headers.get("Content-Length", "").isdigit()):
        problem = (
            "does not declare the length of the file, so a truncated file could not be detected; "
            "set its SHA-256 in fetch.sha256"
        )
    else:
        return
    raise SourceError(f"{shown}: the server {problem}")


def _classify(error: Exception, shown: str) -> Exception:
    """Return an error to raise: `_AttemptError` if another attempt may succeed."""
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error)):
        return SourceError(
            f"{shown}: the certificate of the server is not trusted ({_reason(error)}); check the "
            "clock and the certificates of this machine, or set fetch.source=synthetic"
        )
    if isinstance(error, requests.TooManyRedirects):
        return SourceError(f"{shown}: the server redirects too often; check the address")
    if isinstance(error, requests.RequestException) and isinstance(error, ValueError):
        # The reason is not shown, because it contains the URL with its password.
        return SourceError(f"{shown} is not a valid http or https URL; correct it")
    return _AttemptError(_reason(error))


def _content_tag(response: requests.Response) -> str:
    """Return a strong ETag or the modification time, to resume the same content later."""
    tag = response.headers.get("ETag", "")
    if not tag or tag.startswith("W/"):
        tag = response.headers.get("Last-Modified", "")
    return tag


def _reason(error: Exception) -> str:
    """Return the innermost cause of an error of `requests`, which does not contain the URL."""
    *_, innermost = causes(error)
    return f"{type(innermost).__name__}: {innermost}"
