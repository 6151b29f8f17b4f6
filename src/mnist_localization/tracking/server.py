"""A W&B server and the key to it: found without a question, asked with a limit of time."""

import configparser
import netrc
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

_VIEWER = "query Viewer { viewer { entity username } }"
_REPORT = "query Report($id: ID!) { view(id: $id) { id } }"


class ServerError(Exception):
    """A server does not answer, or refuses; the message says which."""


@dataclass(frozen=True)
class Server:
    """Where W&B is, and the key to it.

    Attributes:
        url: Base URL of its API.
        key: The API key; empty when none is configured.
    """

    url: str
    key: str = field(repr=False)

    def default_entity(self, limit_s: float) -> str:
        """The entity that the key logs to when none is named.

        Args:
            limit_s: Seconds that the answer may take.

        Raises:
            ServerError: The server does not answer in time, or refuses the key.
        """
        viewer = self._ask(_VIEWER, {}, limit_s).get("viewer")
        if not viewer:
            raise ServerError(f"{self.url} refuses the API key")
        return str(viewer.get("entity") or viewer.get("username") or "")

    def has_report(self, report_id: str, limit_s: float) -> bool:
        """Whether a report that was saved before is still there.

        Args:
            report_id: Its id.
            limit_s: Seconds that the answer may take.

        Raises:
            ServerError: The server does not answer in time, or refuses.
        """
        return bool(self._ask(_REPORT, {"id": report_id}, limit_s).get("view"))

    def _ask(self, query: str, variables: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
        found: list[dict[str, Any] | ServerError] = []

        def ask() -> None:
            try:
                found.append(self._post(query, variables, limit_s))
            except ServerError as error:
                found.append(error)

        # `requests` limits the wait for each byte, not for the whole of an answer.
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(limit_s)
        if not found:
            raise ServerError(f"{self.url} does not answer within {limit_s:.0f} s")
        if isinstance(found[0], ServerError):
            raise found[0]
        return found[0]

    def _post(self, query: str, variables: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
        try:
            response = requests.post(
                f"{self.url}/graphql",
                auth=("api", self.key),
                json={"query": query, "variables": dict(variables)},
                timeout=limit_s,
                allow_redirects=False,
            )
            if response.status_code in (401, 403):
                raise ServerError(f"{self.url} refuses the API key")
            response.raise_for_status()
            answer = response.json()
        except (requests.RequestException, ValueError) as error:
            raise ServerError(f"{self.url} cannot be reached ({type(error).__name__})") from error
        data = answer.get("data") if isinstance(answer, dict) else None
        return data if isinstance(data, dict) else {}


def find_server(credentials: Mapping[str, Any]) -> Server:
    """The server that is configured, with the key from environment, Kedro or netrc.

    Args:
        credentials: The entry `wandb` of the Kedro credentials; its `api_key` counts.
    """
    url = _base_url()
    key = os.environ.get("WANDB_API_KEY") or str(credentials.get("api_key") or "")
    return Server(url, key.strip() or _netrc_key(url))


def _base_url() -> str:
    from wandb.sdk.lib import urls

    url = os.environ.get("WANDB_BASE_URL") or _configured_url() or urls.DEFAULT_BASE_URL
    return url.strip().rstrip("/")


def _configured_url() -> str:
    """The URL that `wandb login --host` keeps for this user."""
    home = os.environ.get("WANDB_CONFIG_DIR") or Path("~/.config/wandb").expanduser()
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(Path(home) / "settings", encoding="utf-8")
    except (OSError, ValueError, configparser.Error):
        return ""
    return parser.get("default", "base_url", fallback="")


def _netrc_key(url: str) -> str:
    from wandb.sdk.lib import urls

    named = os.environ.get("NETRC")
    paths = [Path(named)] if named else [Path("~/.netrc"), Path("~/_netrc")]
    for path in paths:
        try:
            entries = netrc.netrc(path.expanduser())
        except (OSError, ValueError, netrc.NetrcParseError):
            continue
        for host in (url, urls.forge_upstream_url(url)):
            if found := entries.authenticators(urlsplit(host).netloc):
                return found[2] or ""
    return ""
