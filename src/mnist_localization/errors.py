"""Errors that a user can cause and correct, shown as one message without a traceback."""

from collections.abc import Iterator


class LocalizationError(Exception):
    """A problem outside the code: data, network, disk or configuration.

    The message names what is wrong, where, and what to do.
    """


class DiskSpaceError(LocalizationError):
    """Too little free disk space for a write."""


class StorageError(LocalizationError):
    """A file or folder on an object store cannot be read or written."""


class SourceError(LocalizationError):
    """A source does not provide its files, or provides wrong ones."""


class UnreachableError(SourceError):
    """A source that does not respond: no DNS, no route, refused, timed out, 5xx or 429."""


class ArchiveError(SourceError):
    """An archive that is truncated, encrypted, too large, or that writes outside its folder."""


class AnnotationError(LocalizationError):
    """Annotations that are malformed or do not match the images."""


class UnreadableError(AnnotationError):
    """An annotation file that exists and cannot be opened."""

    def __init__(self, path: object, error: OSError) -> None:
        """State the path, the cause and the remedy."""
        cause = (error.strerror or str(error)).lower()
        is_locked = isinstance(error, PermissionError)
        remedy = "make the file readable" if is_locked else "replace it with a readable file"
        super().__init__(f"{path}: {cause}; {remedy}")


class ImageError(LocalizationError):
    """An image that is missing, unreadable, or not of the configured shape."""


class StaleError(LocalizationError):
    """A model, a split and predictions that do not belong together."""


class RecordError(LocalizationError):
    """An annotated image that cannot be displayed."""


class ModelError(LocalizationError):
    """A model that cannot be built, loaded or used as requested."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and the errors that led to it, from the outermost to the innermost."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
