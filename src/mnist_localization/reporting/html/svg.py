"""The little SVG that the charts are drawn with; every text and attribute is escaped."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from mnist_localization.reporting.html.formatting import coordinate


def element(tag: str, *children: str | Markup, **attributes: str | float) -> Markup:
    """One element.

    Args:
        tag: Its name.
        *children: Text, which is escaped, and other elements.
        **attributes: A trailing underscore goes (`class_`), an inner one becomes a hyphen;
            numbers are rounded to a thousandth.
    """
    said = Markup("").join(
        Markup(' {}="{}"').format(
            name.rstrip("_").replace("_", "-"),
            value if isinstance(value, str) else coordinate(value),
        )
        for name, value in attributes.items()
    )
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(tag, said, inside)


def drawing(
    identifier: str, title: str, description: str, size: tuple[float, float], *parts: Markup
) -> Markup:
    """A chart: an image to assistive technology, with a title and a description.

    Args:
        identifier: Unique in the page.
        title: What it shows.
        description: What is to be seen in it.
        size: Width and height of its coordinates.
        *parts: Its elements.
    """
    width, height = size
    return element(
        "svg",
        element("title", title, id=f"{identifier}-title"),
        element("desc", description, id=f"{identifier}-desc"),
        *parts,
        class_="chart",
        viewBox=f"0 0 {coordinate(width)} {coordinate(height)}",
        role="img",
        aria_labelledby=f"{identifier}-title {identifier}-desc",
    )


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic map of values to coordinates.

    Attributes:
        low: Value at `start`.
        high: Value at `end`, above `low`.
        start: Coordinate of `low`.
        end: Coordinate of `high`; smaller than `start` for an axis that points up.
        logarithmic: Whether equal distances are equal ratios; `low` is then above 0.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Coordinate of a value."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values along the axis, at most `most` or so."""
        if not self.logarithmic:
            return linear_ticks(self.low, self.high, most)
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        every = max(1, math.ceil((last - first + 1) / most))
        return [10.0**power for power in range(first, last + 1, every)]


def linear_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten from `low` to `high`."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def axis_for(
    values: Sequence[float], start: float, end: float, *, logarithmic: bool = False
) -> Axis:
    """An axis that holds the values with a little room around them."""
    low, high = min(values), max(values)
    if logarithmic:
        return Axis(low / 1.2, high * 1.2, start, end, logarithmic=True)
    room = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    return Axis(low - room, high + room, start, end)
