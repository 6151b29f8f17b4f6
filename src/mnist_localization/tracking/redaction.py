"""Removal of secrets from everything that is logged, recorded or sent."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_MASK = "***"
_SECRET_NAME = re.compile(r"(^|[_\-.])(api_?key|password|passwd|secret|token)$", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/\s@]+@")
# The query of a URL, and `?name=value` anywhere, because an error may name the path alone.
_QUERY = re.compile(r"""(://[^\s?"<>]*)\?[^\s"<>]+|\?[^\s"<>?=&]+=[^\s"<>]*""")


class Redactor:
    """Removes secrets from text and values that are logged, recorded or sent."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        self._secrets = sorted({text for text in secrets if text}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return the text without secrets and without user, password and query of its URLs."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        text = _USER_INFO.sub(f"{_MASK}@", text)
        return _QUERY.sub(lambda found: f"{found[1] or ''}?{_MASK}", text)

    def value(self, value: Any) -> Any:
        """Return the value as plain JSON types, with secrets removed from its strings."""
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
