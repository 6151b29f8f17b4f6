"""Numbers and names as the pages write them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

_IN_WORDS = {"bbox": "box", "iou": "IoU"}

DASH = "–"  # noqa: RUF001 - an en dash stands for a missing value and between two ends


def percent(share: float) -> str:
    """Return a share in [0, 1] in percent with two decimals."""
    return f"{share * 100:.2f}\u00a0%"


def ratio(value: float) -> str:
    """Return a number without a unit with four decimals."""
    return f"{value:.4f}"


def count(value: int) -> str:
    """Return an integer with narrow spaces between groups of three digits."""
    return f"{value:,}".replace(",", "\u202f")


def number(value: float) -> str:
    """Return a whole number grouped as by `count`, another with four digits, and NaN as a dash."""
    if math.isnan(value):
        return DASH
    return count(int(value)) if value.is_integer() else f"{value:.4g}"


def pixels(value: float) -> str:
    """Return a length in pixels with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def coordinate(value: float) -> str:
    """Return an SVG coordinate with at most three decimals, which removes 32-bit rounding."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def words(name: str) -> str:
    """Return a key such as `bbox_mean_iou` as words: `Box mean IoU`."""
    text = " ".join(_IN_WORDS.get(word, word) for word in name.split("_"))
    return text[:1].upper() + text[1:]


def sentence(phrases: Iterable[str]) -> str:
    """Join capitalized phrases: `Worst IoU, random sample`."""
    first, *others = phrases
    return ", ".join([first, *(phrase[:1].lower() + phrase[1:] for phrase in others)])


def box_in_pixels(corners: Sequence[float]) -> str:
    """Return pixel corners `xmin, ymin, xmax, ymax` and the size of the box as text."""
    xmin, ymin, xmax, ymax = corners
    size = f"{pixels(xmax - xmin)} × {pixels(ymax - ymin)}"  # noqa: RUF001 - the sign "times"
    return f"x {pixels(xmin)} to {pixels(xmax)}, y {pixels(ymin)} to {pixels(ymax)} ({size} px)"


def shortened(text: str, letters: int) -> str:
    """Shorten a text to a number of letters by removing its middle.

    Names that start with the same words often differ in the last one.
    """
    if len(text) <= letters:
        return text
    tail = (letters - 1) // 2
    return f"{text[: letters - 1 - tail]}…{text[len(text) - tail :]}"


def plain(value: Any) -> str:
    """Return a JSON value as text."""
    if value is None or value == "":
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or DASH
    return str(value)
