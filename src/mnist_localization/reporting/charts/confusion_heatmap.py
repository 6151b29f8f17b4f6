"""Confusion matrix, or the most frequent confusions if there are many classes."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go
from markupsafe import Markup

from mnist_localization.evaluation.breakdowns import SHOWN_CLASSES, most_confused
from mnist_localization.reporting.charts import (
    DARK,
    SCALE,
    Chart,
    ChartData,
    _svg,
    plotly_layout,
)
from mnist_localization.reporting.html.formatting import count, percent, shortened

_TITLE = "Predicted class by true class"
_TRUE, _PREDICTED = "True class", "Predicted class"
_PAIR = "True class → predicted class"
_IMAGES = "Images (and share of the true class)"
_NO_CONFUSION = "No image was given a wrong class."
_SIZE = 42.0  # of a cell in the SVG


class _Pair(NamedTuple):
    """A frequent confusion; `label` states the number of images and their share."""

    name: str
    short_name: str
    images: int
    label: str


def _summary(data: ChartData) -> str:
    matrix = data.metrics.confusion_matrix
    correct = sum(row[label] for label, row in enumerate(matrix))
    total = count(data.metrics.images)
    return f"The predicted class is correct for {count(correct)} of {total} test images"


def _pairs(data: ChartData) -> list[_Pair]:
    names = data.dataset.class_names
    return [
        _Pair(
            f"{names[pair.true]} → {names[pair.predicted]}",
            f"{shortened(names[pair.true], 13)} → {shortened(names[pair.predicted], 13)}",
            pair.images,
            f"{count(pair.images)} ({percent(pair.share)})",
        )
        for pair in most_confused(data.metrics.confusion_matrix)
    ]


def _shares(matrix: Sequence[Sequence[int]]) -> list[list[float]]:
    """Return each count as a share of the images of its row."""
    return [[number / max(1, sum(row)) for number in row] for row in matrix]


def _is_matrix(data: ChartData) -> bool:
    return len(data.dataset.class_names) <= SHOWN_CLASSES


def _plotly(data: ChartData) -> go.Figure:
    figure = _plotly_matrix(data) if _is_matrix(data) else _plotly_pairs(data)
    figure.update_layout(**plotly_layout(_TITLE, _summary(data)))
    return figure


def _plotly_matrix(data: ChartData) -> go.Figure:
    names, matrix = list(data.dataset.class_names), data.metrics.confusion_matrix
    # Names such as "7" are categories, not numbers.
    axis = {"type": "category", "showgrid": False}
    figure = go.Figure(
        go.Heatmap(
            x=names,
            y=names,
            z=[[100 * share for share in row] for row in _shares(matrix)],
            text=[[count(number) if number else "" for number in row] for row in matrix],
            texttemplate="%{text}",
            colorscale=SCALE,
            zmin=0,
            zmax=100,
            colorbar={"title": {"text": "Share of the<br>true class (%)"}},
            hovertemplate="true %{y}, predicted %{x}: %{text} images, %{z:.2f} %<extra></extra>",
        )
    )
    figure.update_xaxes(title=_PREDICTED, **axis)
    figure.update_yaxes(title=_TRUE, autorange="reversed", **axis)
    return figure


def _plotly_pairs(data: ChartData) -> go.Figure:
    pairs = _pairs(data)
    figure = go.Figure(
        go.Bar(
            orientation="h",
            x=[pair.images for pair in pairs],
            y=[pair.name for pair in pairs],
            text=[pair.label for pair in pairs],
            marker={"color": DARK},
            hovertemplate="%{y}: %{text} of the true class<extra></extra>",
        )
    )
    figure.update_xaxes(title=_IMAGES, rangemode="tozero")
    figure.update_yaxes(title=_PAIR, autorange="reversed", automargin=True)
    if not pairs:
        figure.add_annotation(text=_NO_CONFUSION, showarrow=False)
    return figure


def _svg_chart(data: ChartData) -> Markup:
    size, parts = _svg_matrix(data) if _is_matrix(data) else _svg_pairs(data)
    identifier = "confusion-matrix" if _is_matrix(data) else "confusions"
    return _svg.drawing(identifier, _TITLE, f"{_summary(data)}.", size, *parts)


def _svg_matrix(data: ChartData) -> tuple[tuple[float, float], list[Markup]]:
    names, matrix = data.dataset.class_names, data.metrics.confusion_matrix
    letters = min(14, max(map(len, names)))
    upright = letters > 5
    left, top = 36.0 + 7.0 * letters, 38.0 + (7.0 * letters if upright else 18.0)
    side = len(names) * _SIZE
    parts = [
        _svg.text(left + side / 2, 16, _PREDICTED, "axis-title"),
        _svg.text(14, top + side / 2, _TRUE, "axis-title", upright=True),
    ]
    for label, name in enumerate(names):
        middle, short = (label + 0.5) * _SIZE, shortened(name, letters)
        parts.append(_svg.text(left - 8, top + middle + 4, short, "tick row-name"))
        if upright:
            parts.append(_svg.text(left + middle + 4, top - 8, short, "tick start", upright=True))
        else:
            parts.append(_svg.text(left + middle, top - 10, short, "tick"))
    for true, shares in enumerate(_shares(matrix)):
        for predicted, share in enumerate(shares):
            number = matrix[true][predicted]
            tooltip = (
                f"True {names[true]}, predicted {names[predicted]}: {count(number)} images, "
                f"{percent(share)} of the true class"
            )
            at = (left + predicted * _SIZE, top + true * _SIZE)
            kind = "right" if true == predicted else "wrong"
            label_text = count(number) if number else "·"
            parts.append(_svg.cell(at, _SIZE, share, label=label_text, tooltip=tooltip, kind=kind))
    return (left + side + 8, top + side + 8), parts


def _svg_pairs(data: ChartData) -> tuple[tuple[float, float], list[Markup]]:
    pairs = _pairs(data)
    if not pairs:
        return (500.0, 40.0), [_svg.text(250, 25, _NO_CONFUSION, "tick")]
    rows = [(pair.short_name, [(float(pair.images), pair.label, "bar")]) for pair in pairs]
    return _svg.bar_rows(rows, pairs[0].images, (_PAIR, _IMAGES))


CHART = Chart(
    title=_TITLE,
    caption="Number of test images by true class (rows) and predicted class (columns); the "
    f"diagonal is correct. With more than {SHOWN_CLASSES} classes, the most frequent confusions "
    "are shown instead.",
    plotly=_plotly,
    svg=_svg_chart,
)
