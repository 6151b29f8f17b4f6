"""Addresses of sources: their parts, and how they are shown."""

from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from mnist_localization.errors import SourceError


def is_remote(base_url: str) -> bool:
    """Whether a base URL is asked for over the network.

    Raises:
        SourceError: It looks like http or https, but is no URL.
    """
    if not base_url.lower().startswith(("http:", "https:")):
        return False
    try:
        parts = urlsplit(base_url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SourceError(
            "the address of the source is no usable http or https URL; it takes the form "
            "https://host/folder; correct fetch.base_url or fetch.upstream.url"
        )
    return True


def local_folder(base_url: str, project_folder: Path) -> Path:
    """The folder that a base URL without a network names.

    Args:
        base_url: A path, or a `file:` URL of this machine.
        project_folder: Where a relative path starts.

    Raises:
        SourceError: It is neither.
    """
    if base_url.lower().startswith("file:"):
        parts = urlsplit(base_url)
        if parts.netloc not in ("", "localhost"):
            raise SourceError(
                f"fetch.base_url names a file on the machine {parts.netloc!r}; only files of "
                "this one can be read: file:///folder, or a path"
            )
        return (project_folder / unquote(parts.path)).resolve()
    if "://" in base_url:
        raise SourceError(
            f"fetch.base_url has the scheme {base_url.partition(':')[0]!r}; give an http or "
            "https URL, or a path"
        )
    try:
        return (project_folder / Path(base_url).expanduser()).resolve()
    except RuntimeError as error:
        raise SourceError(
            f"fetch.base_url is {base_url!r}: {error}; give the path itself"
        ) from error


def file_url(folder_url: str, name: str) -> str:
    """URL of a file that lies directly in a folder; the folder's query is kept."""
    parts = urlsplit(folder_url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(name)}", fragment=""))


def shown_url(url: str) -> str:
    """A URL without credentials and query, fit for logs and cards."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, _host(parts), parts.path, "", ""))


def identity_of(url: str) -> str:
    """What tells one source from another: a new password makes no new source."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, _host(parts), parts.path.rstrip("/"), parts.query, ""))


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    return f"{host}:{parts.port}" if parts.port else host
