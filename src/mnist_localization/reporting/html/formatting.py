"""How numbers and names are written on the page."""

from collections.abc import Iterable, Sequence
from typing import Any

_IN_WORDS = {"bbox": "box", "iou": "IoU"}

DASH = "–"  # noqa: RUF001 - an en dash stands for "no value" and between two ends


def percent(share: float) -> str:
    """A share in [0, 1] in per cent, to a hundredth."""
    return f"{share * 100:.2f}\u00a0%"


def ratio(value: float) -> str:
    """A figure without a unit, to four decimals."""
    return f"{value:.4f}"


def count(value: int) -> str:
    """A whole number, with thin groups of three: 10 000."""
    return f"{value:,}".replace(",", "\u202f")


def pixels(value: float) -> str:
    """A length in pixels, to a tenth where it is not whole."""
    return f"{value:.1f}".removesuffix(".0")


def coordinate(value: float) -> str:
    """A coordinate of a drawing, to a thousandth: the rounding error of 32 bits goes."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def words(name: str) -> str:
    """A key such as `bbox_mean_iou` as words: `Box mean IoU`."""
    text = " ".join(_IN_WORDS.get(word, word) for word in name.split("_"))
    return text[:1].upper() + text[1:]


def sentence(phrases: Iterable[str]) -> str:
    """Phrases that begin with a capital, as one: `Worst IoU, random sample`."""
    first, *others = phrases
    return ", ".join([first, *(phrase[:1].lower() + phrase[1:] for phrase in others)])


def box_in_pixels(corners: Sequence[float]) -> str:
    """Pixel corners `xmin, ymin, xmax, ymax` in words."""
    xmin, ymin, xmax, ymax = corners
    size = f"{pixels(xmax - xmin)} × {pixels(ymax - ymin)}"  # noqa: RUF001 - the sign "times"
    return f"x {pixels(xmin)} to {pixels(xmax)}, y {pixels(ymin)} to {pixels(ymax)} ({size} px)"


def shortened(text: str, letters: int) -> str:
    """A text of at most so many letters: what is too much goes from its middle.

    Names that share their first words often differ in the last.
    """
    if len(text) <= letters:
        return text
    tail = (letters - 1) // 2
    return f"{text[: letters - 1 - tail]}…{text[len(text) - tail :]}"


def plain(value: Any) -> str:
    """A value of a JSON document as text."""
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
