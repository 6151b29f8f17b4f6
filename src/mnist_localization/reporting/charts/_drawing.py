"""Parts that charts share: colors and layout of Plotly figures, and elements of SVG charts.

Colors and fonts of the SVG charts are in the stylesheet of the page.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from mnist_localization.reporting.html.formatting import coordinate, count, number, shortened

# Colors of decreasing lightness, so that they differ in grayscale too.
DARK = "#1f3a5f"
MEDIUM = "#d1603d"
LIGHT = "#a3c4bc"


def plotly_layout(title: str, subtitle: str = "") -> dict[str, Any]:
    """Return the common layout, for `figure.update_layout`."""
    return {
        "title": {"text": title, "subtitle": {"text": subtitle}},
        "template": "simple_white",
        "font": {"size": 13},
        "margin": {"t": 120, "l": 70, "r": 40, "b": 70},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
    }


def element(tag: str, *children: str | Markup, **attributes: str | float) -> Markup:
    """Return an SVG element with escaped text and attributes.

    Args:
        tag: Name of the element.
        *children: Text, which is escaped, and other elements.
        **attributes: A trailing underscore is removed (`class_`), an inner one becomes a hyphen;
            numbers are rounded to three decimals.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(
            name.rstrip("_").replace("_", "-"),
            value if isinstance(value, str) else coordinate(value),
        )
        for name, value in attributes.items()
    )
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(tag, written, inside)


def drawing(
    identifier: str, title: str, description: str, size: tuple[float, float], *parts: Markup
) -> Markup:
    """Return a chart as an SVG image with a title and description for assistive technology.

    Args:
        identifier: Identifier that is unique in the page.
        title: What is shown.
        description: The main result.
        size: Width and height of the coordinate system.
        *parts: Elements of the chart.
    """
    width, height = size
    return element(
        "svg",
        element("title", title, id=f"{identifier}-title"),
        element("desc", description, id=f"{identifier}-desc"),
        *parts,
        class_="chart" + (" small" if width < 400 else " broad" if width > 650 else ""),
        viewBox=f"0 0 {coordinate(width)} {coordinate(height)}",
        role="img",
        aria_labelledby=f"{identifier}-title {identifier}-desc",
    )


# Ticks of an axis from 0 to 1.
UNIT_TICKS = tuple((tick / 5, f"{tick / 5:.1f}") for tick in range(6))
_BAR = 14.0  # height of a horizontal bar and the gap below it
_LETTERS = 29  # of the name of a horizontal bar


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic map from values to SVG coordinates.

    Attributes:
        low: Value at `start`.
        high: Value at `end`, greater than `low`.
        start: Coordinate of `low`.
        end: Coordinate of `high`; smaller than `start` if the axis points up.
        logarithmic: Whether equal distances are equal ratios; requires `low > 0`.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return the coordinate of a value."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Return about `most` round values along the axis, or fewer."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            every = max(1, math.ceil((last - first + 1) / most))
            return [10.0**power for power in range(first, last + 1, every)]
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def axis_for(
    values: Sequence[float], start: float, end: float, *, logarithmic: bool = False
) -> Axis:
    """Return an axis that holds the values with a margin around them."""
    low, high = min(values), max(values)
    if logarithmic:
        return Axis(low / 1.2, high * 1.2, start, end, logarithmic=True)
    margin = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    return Axis(low - margin, high + margin, start, end)


def axes(
    x: Axis, y: Axis, titles: tuple[str, str], x_ticks: Iterable[tuple[float, str]]
) -> list[Markup]:
    """Return grid lines, tick labels and axis titles.

    Args:
        x: Horizontal axis.
        y: Vertical axis, which points up.
        titles: Titles of the horizontal and of the vertical axis; empty for no title.
        x_ticks: Value and text of each tick of the horizontal axis.
    """
    parts = []
    for value in y.ticks():
        top = y.at(value)
        parts.append(element("line", x1=x.start, x2=x.end, y1=top, y2=top, class_="grid"))
        parts.append(text(x.start - 7, top + 4, number(value), "tick row-name"))
    parts += [text(x.at(value), y.start + 16, label, "tick") for value, label in x_ticks]
    if titles[0]:
        parts.append(text((x.start + x.end) / 2, y.start + 37, titles[0], "axis-title"))
    if titles[1]:
        parts.append(text(12, (y.start + y.end) / 2, titles[1], "axis-title", upright=True))
    return parts


def text(left: float, top: float, content: str, kind: str, *, upright: bool = False) -> Markup:
    """Return a text with the class `kind`, turned by 90 degrees if it is upright."""
    if not upright:
        return element("text", content, x=left, y=top, class_=kind)
    place = f"translate({coordinate(left)} {coordinate(top)}) rotate(-90)"
    return element("text", content, transform=place, class_=kind)


def bar(x: tuple[float, float], y: tuple[float, float], tooltip: str) -> Markup:
    """Return a rectangle that spans the given coordinates, with a tooltip."""
    (left, right), (top, bottom) = sorted(x), sorted(y)
    title = element("title", tooltip)
    return element("rect", title, x=left, y=top, width=right - left, height=bottom - top, rx=1.5)


def histogram(x: Axis, y: Axis, bins: Iterable[tuple[float, float, int]], quantity: str) -> Markup:
    """Return a bar for each bin (lower edge, upper edge, number of images) that is not empty."""
    bars = [
        bar(
            (x.at(low) + 1, x.at(high) - 1),
            (y.at(images), y.start),
            f"{quantity} {low:.2f} to {high:.2f}: {count(images)} images",
        )
        for low, high, images in bins
        if images
    ]
    return element("g", *bars, class_="bar")


def dot(left: float, top: float, radius: float, tooltip: str) -> Markup:
    """Return a point with a tooltip."""
    return element("circle", element("title", tooltip), cx=left, cy=top, r=radius)


def legend(entries: Iterable[tuple[str, str]], left: float, top: float) -> list[Markup]:
    """Return swatches with their texts, from left to right.

    Args:
        entries: Class of the swatch and text of each entry.
        left: Left coordinate of the first swatch.
        top: Top coordinate of the swatches.
    """
    parts = []
    for kind, label in entries:
        parts.append(element("rect", x=left, y=top, width=14, height=9, class_=kind))
        parts.append(text(left + 19, top + 9, label, "tick start"))
        left += 42 + 6.6 * len(label)
    return parts


def bar_rows(
    rows: Sequence[tuple[str, Sequence[tuple[float | None, str, str]]]],
    high: float,
    titles: tuple[str, str],
    top: float = 0.0,
) -> tuple[tuple[float, float], list[Markup]]:
    """Return horizontal bars with their names on the left and their values on the right.

    Args:
        rows: Name of each row, and the value, text and class of each of its bars.
        high: Largest value of the axis, which starts at 0.
        titles: Titles of the names and of the values.
        top: Coordinate above which nothing is drawn.

    Returns:
        The size of the drawing and the elements.
    """
    names = [shortened(name, _LETTERS) for name, _ in rows]
    x = Axis(0.0, high, 20 + 7.0 * max(map(len, names)), 430.0)
    parts = [text(4, top + 14, titles[0], "axis-title start")]
    top += 24
    for name, (full_name, bars) in zip(names, rows, strict=True):
        middle = top + _BAR * len(bars) / 2 + 3
        parts.append(text(x.start - 8, middle, name, "tick row-name"))
        for value, label, kind in bars:
            if value is not None:
                tooltip = f"{full_name}: {label}"
                rectangle = bar((x.start, x.at(value)), (top, top + _BAR - 2), tooltip)
                parts.append(element("g", rectangle, class_=kind))
                parts.append(text(x.at(value) + 5, top + _BAR - 4, label, "value start"))
            top += _BAR
        top += 6
    parts.append(text((x.start + x.end) / 2, top + 12, titles[1], "axis-title"))
    return (520.0, top + 18), parts
