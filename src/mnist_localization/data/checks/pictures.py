"""Every image of a split, decoded once: its size, what it shows, or why it cannot be read."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from mnist_localization.config import ImageSettings
from mnist_localization.data.images import examine_image
from mnist_localization.errors import ImageError

# Images decoded at once at most: what bounds the memory.
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Picture:
    """What is kept of one image.

    Attributes:
        file: Its name.
        height: Rows, pixels; 0 where it cannot be read.
        width: Columns, pixels.
        channels: As its header says.
        digest: Of its pixels, the same for the same picture in another file format.
        fault: Why it cannot be read; empty where it can.
    """

    file: str
    height: int
    width: int
    channels: int
    digest: bytes
    fault: str = ""


def examine_pictures(
    folder: Path, files: Sequence[str], image: ImageSettings, max_mb: float, name: str
) -> Iterator[Picture]:
    """Decode images, and keep what a check needs of each.

    Args:
        folder: Folder of the images.
        files: Their names.
        image: Gives the channels in which they are compare_outputs.
        max_mb: Size above which an image counts as not readable, in MiB.
        name: Stands before the progress bar.
    """

    def examine(file: str) -> Picture:
        try:
            header, pixels = examine_image(
                folder / file,
                channels=image.channels,
                max_mb=max_mb,
                background=image.background,
            )
        except ImageError as error:
            return Picture(file, 0, 0, 0, b"", str(error))
        digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
        digest.update(pixels.data)
        return Picture(file, header.height, header.width, header.channels, digest.digest())

    with (
        ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool,
        tqdm(total=len(files), desc=f"check {name}", unit="image", disable=None) as bar,
    ):
        for start in range(0, len(files), _CHUNK):
            for picture in pool.map(examine, files[start : start + _CHUNK]):
                bar.update()
                yield picture
