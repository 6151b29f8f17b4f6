"""Reading of JSON documents, which may contain anything."""

import json
from pathlib import Path
from typing import Any

from mnist_localization.errors import AnnotationError, UnreadableError

_MAX_BYTES = 2**31


def read_json(path: Path) -> Any:
    """Return a JSON document.

    Raises:
        AnnotationError: The file is not UTF-8 JSON, or larger than 2 GiB.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise AnnotationError(f"{path}: larger than 2 GiB; divide it into several files")
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UnreadableError(path, error) from error
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{path}: not valid UTF-8 JSON ({error}); correct it") from error


def try_json(path: Path) -> Any:
    """Return a JSON document, or `None` if the file is none."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return None
    try:
        return read_json(path)
    except UnreadableError:
        raise
    except AnnotationError:
        return None


def as_dict(value: Any) -> dict[str, Any]:
    """Return a JSON object, or an empty one if the value is none."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a JSON list, or an empty one if the value is none."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """Return a text or whole number as text, or an empty one for any other value."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
