"""Histogram of the IoU of predicted and true boxes, for the model and the baselines."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from markupsafe import Markup

from mnist_localization.reporting.charts import Chart, ChartData, _drawing
from mnist_localization.reporting.html.formatting import count, percent, ratio

_TITLE = "IoU of predicted and true boxes"
_X = "IoU of predicted and true box (0 to 1)"
_EDGES = np.linspace(0.0, 1.0, 21)
# Counts that differ by a larger factor are drawn on a logarithmic axis.
_LARGEST_RATIO = 100
_LINES = (("dash", _drawing.MEDIUM), ("dot", _drawing.DARK), ("dashdot", _drawing.MEDIUM))


@dataclass(frozen=True)
class _Histogram:
    """Images per bin.

    Attributes:
        counts: Images in each bin, by text for the legend; the model comes first.
        summary: Main result.
        axis: Axis of the counts in the SVG.
        axis_title: Title of the axis of the counts.
    """

    counts: dict[str, list[int]]
    summary: str
    axis: _drawing.Axis
    axis_title: str


def _histogram(data: ChartData) -> _Histogram:
    iou = data.predictions["iou"]
    named = [("model", iou), *data.baseline_predictions.groupby("baseline")["iou"]]
    counts = {
        f"{name} ({values.mean():.4f})": np.histogram(values, bins=_EDGES)[0].tolist()
        for name, values in named
    }
    model = next(iter(counts.values()))
    logarithmic = max(model) > _LARGEST_RATIO * min(images for images in model if images)
    low, high = 0.5 if logarithmic else 0.0, 1.05 * max(map(max, counts.values()))
    return _Histogram(
        counts=counts,
        summary=f"{count(len(iou))} test images; median IoU {ratio(iou.median())}; "
        f"IoU of at least 0.5 for {percent((iou >= 0.5).mean())}",
        axis=_drawing.Axis(low, high, 246.0, 60.0, logarithmic),
        axis_title="Images (logarithmic)" if logarithmic else "Images",
    )


def _plotly(data: ChartData) -> go.Figure:
    shown = _histogram(data)
    (name, model), *baselines = shown.counts.items()
    figure = go.Figure()
    figure.add_bar(
        name=name,
        x=((_EDGES[:-1] + _EDGES[1:]) / 2).tolist(),
        y=model,
        width=_EDGES[1],
        marker={"color": _drawing.LIGHT, "line": {"color": _drawing.DARK, "width": 1}},
        hovertemplate="IoU %{x:.3f}: %{y} images<extra>model</extra>",
    )
    for (name, images), (dash, color) in zip(baselines, _LINES, strict=False):
        ends = [*images, images[-1]]
        figure.add_scatter(
            name=name,
            x=_EDGES.tolist(),
            # A logarithmic axis has no place for 0: empty bins are drawn at its lower end.
            y=[max(shown.axis.low, number) for number in ends],
            customdata=ends,
            mode="lines",
            line={"dash": dash, "color": color, "width": 2, "shape": "hv"},
            hovertemplate=f"IoU from %{{x:.2f}}: %{{customdata}} images<extra>{name}</extra>",
        )
    figure.update_layout(**_drawing.plotly_layout(_TITLE, shown.summary), bargap=0)
    figure.update_xaxes(title=_X, range=[0, 1.005])
    figure.update_yaxes(title=shown.axis_title, rangemode="tozero")
    if shown.axis.logarithmic:
        limits = np.log10([shown.axis.low, shown.axis.high])
        figure.update_yaxes(type="log", range=limits.tolist())
    return figure


def _svg_chart(data: ChartData) -> Markup:
    shown = _histogram(data)
    x, y = _drawing.Axis(0.0, 1.0, 66.0, 486.0), shown.axis
    (_, model), *baselines = shown.counts.items()
    bins = list(zip(_EDGES[:-1], _EDGES[1:], model, strict=True))
    # Long numbers are upright, because side by side they would overlap.
    upright = y.high >= 1000
    shift, kind = (4, "value start") if upright else (0, "value")
    labels = [
        _drawing.text(
            x.at((low + high) / 2) + shift, y.at(images) - 5, count(images), kind, upright=upright
        )
        for low, high, images in bins
        if images
    ]
    lines = []
    for number, (name, counts) in enumerate(baselines):
        heights = [y.at(max(y.low, images)) for images in counts]
        steps = zip(_EDGES[:-1], _EDGES[1:], heights, strict=True)
        path = "M" + "L".join(f"{x.at(a):.1f} {top:.1f}H{x.at(b):.1f}" for a, b, top in steps)
        title = _drawing.element("title", name)
        lines.append(_drawing.element("path", title, d=path, class_=f"baseline baseline-{number}"))
    kinds = ["bar", *(f"baseline baseline-{number}" for number in range(len(baselines)))]
    return _drawing.drawing(
        "iou-histogram",
        _TITLE,
        f"{shown.summary}.",
        (500.0, 290.0),
        *_drawing.legend(zip(kinds, shown.counts, strict=True), 4, 4),
        *_drawing.axes(x, y, (_X, shown.axis_title), _drawing.UNIT_TICKS),
        _drawing.histogram(x, y, bins, "IoU"),
        *lines,
        *labels,
    )


CHART = Chart(
    title=_TITLE,
    caption="Number of test images by IoU, for the model (bars) and the baselines (lines), with "
    "the mean IoU of each. A box counts as found from an IoU of 0.5.",
    plotly=_plotly,
    svg=_svg_chart,
)
