"""Saving beside, then renaming: a killed save leaves the old file, or none."""

from pathlib import PurePosixPath
from typing import Any

from kedro.io.core import get_filepath_str


class AtomicSave:
    """Mixin for Kedro datasets of one file that write through `_get_save_path()`.

    Stands before the dataset's class in the bases.
    """

    _protocol: str
    _fs: Any

    def save(self, data: Any) -> None:
        """Save beside the final path, then rename."""
        final = super()._get_save_path()  # type: ignore[misc]
        self._beside = final.with_name(f".part-{final.name}")
        try:
            # The undecorated method: Kedro's logging already wraps this one.
            super().save.__wrapped__(self, data)  # type: ignore[misc]
        except BaseException:
            self._discard(self._beside)
            raise
        finally:
            beside, self._beside = self._beside, None
        self._fs.mv(
            get_filepath_str(beside, self._protocol), get_filepath_str(final, self._protocol)
        )

    _beside: PurePosixPath | None = None

    def _get_save_path(self) -> PurePosixPath:
        return self._beside or super()._get_save_path()  # type: ignore[misc,no-any-return]

    def _discard(self, path: PurePosixPath) -> None:
        name = get_filepath_str(path, self._protocol)
        if self._fs.exists(name):
            self._fs.rm(name)
