"""Secrets never leave: they are cut out of whatever is logged, recorded or sent."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_MASK = "***"
_SECRET_NAME = re.compile(r"(^|[_\-.])(api_?key|password|passwd|secret|token)$", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/\s@]+@")
# Of a URL, and `?name=value` anywhere: an error may name the path of a URL alone.
_QUERY = re.compile(r"""(://[^\s?"<>]*)\?[^\s"<>]+|\?[^\s"<>?=&]+=[^\s"<>]*""")


class Redactor:
    """Cuts known secrets, passwords and queries of URLs, values under telling names out."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        """Learn the secrets.

        Args:
            secrets: Values that must not be seen; empty ones are ignored.
        """
        self._secrets = sorted({text for text in secrets if text}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without secrets, and without user, password and query of its URLs."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        text = _USER_INFO.sub(f"{_MASK}@", text)
        return _QUERY.sub(lambda found: f"{found[1] or ''}?{_MASK}", text)

    def value(self, value: Any) -> Any:
        """The same value as plain JSON types, its strings without secrets."""
        if isinstance(value, Mapping):
            return {
                self.text(str(name)): _MASK
                if item and _SECRET_NAME.search(str(name))
                else self.value(item)
                for name, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))
