"""Errors that a user can cause and mend: shown as one message, without a traceback."""


class LocalizationError(Exception):
    """Something outside the code is wrong: data, network, disk or configuration.

    The message names the thing, the cause and the remedy.
    """


class SourceError(LocalizationError):
    """A source cannot give its files, or gives wrong ones."""


class UnreachableError(SourceError):
    """A source does not answer: no DNS, no route, refused, timed out, 5xx or 429."""


class ArchiveError(SourceError):
    """An archive is truncated, encrypted, too large, or leaves its folder."""


class AnnotationError(LocalizationError):
    """Annotations are malformed, or do not fit the images."""


class ImageError(LocalizationError):
    """An image is missing, unreadable, or not of the configured shape."""


class StaleError(LocalizationError):
    """Model, split and predictions do not belong together."""


class RecordError(LocalizationError):
    """A box record is not fit to be shown."""


class ModelError(LocalizationError):
    """A model cannot be built, loaded or used as asked."""
