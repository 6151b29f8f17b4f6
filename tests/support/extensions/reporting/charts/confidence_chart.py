"""Histogram of the confidence of the predicted label."""

import numpy as np
import plotly.graph_objects as go
from markupsafe import Markup

from mnist_localization.reporting.charts import Chart, ChartData, _drawing

_TITLE = "Images by confidence of the label"
_X = "Confidence of the predicted label (0 to 1)"
_EDGES = np.linspace(0.0, 1.0, 11)


def _counts(data: ChartData) -> list[int]:
    counts: list[int] = np.histogram(data.predictions["confidence"], bins=_EDGES)[0].tolist()
    return counts


def _plotly(data: ChartData) -> go.Figure:
    figure = go.Figure(
        go.Bar(x=_EDGES[:-1] + 0.05, y=_counts(data), marker={"color": _drawing.DARK})
    )
    figure.update_layout(**_drawing.plotly_layout(_TITLE), xaxis_title=_X, yaxis_title="Images")
    return figure


def _svg_chart(data: ChartData) -> Markup:
    counts = _counts(data)
    x, y = _drawing.Axis(0.0, 1.0, 60.0, 350.0), _drawing.Axis(0.0, max(counts), 200.0, 20.0)
    bars = [
        _drawing.bar(
            (x.at(low) + 1, x.at(low + 0.1) - 1), (y.at(count), y.start), f"{count} images"
        )
        for low, count in zip(_EDGES[:-1].tolist(), counts, strict=True)
    ]
    return _drawing.drawing(
        "confidence",
        _TITLE,
        f"{sum(counts)} test images.",
        (364.0, 240.0),
        *_drawing.axes(x, y, (_X, "Images"), _drawing.UNIT_TICKS),
        _drawing.element("g", *bars, class_="bar"),
    )


CHART = Chart(
    title=_TITLE,
    caption="Number of test images by the probability that the model gives to its label.",
    plotly=_plotly,
    svg=_svg_chart,
)
