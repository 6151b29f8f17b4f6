"""Names of images in annotation files, matched with the files that exist."""

import posixpath
from collections.abc import Iterable
from pathlib import PurePosixPath

from mnist_localization.data.images.decode import has_image_suffix, printable


class UnknownImageError(Exception):
    """A name that matches no file, or more than one."""


class ImageNames:
    """Files in the folder of the images.

    An annotation tool may have written the path of another machine, a name without a suffix or
    the suffix that the file had before. Such a name is matched with the only file whose path ends
    like it, so that no name can leave the folder.

    Args:
        files: Names relative to the folder of the images.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self._files = frozenset(files)
        self._by_key: dict[str, list[str]] | None = None

    def find(self, name: str) -> tuple[str, bool]:
        """Return the file of a name, and whether the file has another name.

        Raises:
            UnknownImageError: No file or more than one has this name.
        """
        path = posixpath.normpath(name.replace("\\", "/")) if name else ""
        if path in self._files:
            return path, path != posixpath.normpath(name)
        parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..", ".")]
        for start in range(len(parts)):
            if (ending := "/".join(parts[start:])) in self._files:
                return ending, True
        candidates = self._candidates(parts)
        if len(candidates) > 1:
            listed = ", ".join(map(repr, candidates[:3]))
            raise UnknownImageError(
                f"{name!r} may be any of {len(candidates)} images, such as {listed}"
            )
        if not candidates and path.startswith(("/", "..")):
            raise UnknownImageError(f"the file name {name!r} leaves the folder of the images")
        if not candidates:
            raise UnknownImageError(f"the image {name!r} does not exist")
        return candidates[0], True

    def _candidates(self, parts: list[str]) -> list[str]:
        """Return the files whose path, without case and suffix, shares the longest end."""
        if not parts:
            return []
        if self._by_key is None:
            self._by_key = {}
            for file in sorted(self._files):
                if file == printable(file):
                    self._by_key.setdefault(_key(file), []).append(file)
        found = self._by_key.get(_key(parts[-1]), [])
        for length in range(min(len(parts), 8), 1, -1):
            ending = [part.casefold() for part in parts[-length:-1]]
            near = [file for file in found if _folders(file)[-length + 1 :] == ending]
            if near:
                return near
        return found


def _key(file: str) -> str:
    name = PurePosixPath(file).name
    return (name.rpartition(".")[0] if has_image_suffix(name) else name).casefold()


def _folders(file: str) -> list[str]:
    return [part.casefold() for part in PurePosixPath(file).parts[:-1]]
