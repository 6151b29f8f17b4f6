"""Learning curves: one panel per logged metric over the epochs."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup
from plotly.subplots import make_subplots

from mnist_localization.reporting.charts import DARK, MEDIUM, _svg, plotly_layout
from mnist_localization.reporting.html.formatting import plain, words

_TITLE = "Learning curves"
_X = "Epoch"
_VALIDATION = "val_"
# Columns of the history that are not measured on a split.
_NOT_SHOWN = ("epoch", "seconds")
# Losses and learning rates that change by a larger factor are drawn on a logarithmic axis.
_LARGEST_RATIO = 30.0
# Markers of more epochs than this would hide the curve.
_MARKED_EPOCHS = 40
_PANEL_HEIGHT = 260
_COLUMNS = 2
# Dash, marker and color of each curve in Plotly.
_STYLES = {"training": ("solid", "circle", DARK), "validation": ("dash", "diamond", MEDIUM)}

Points = list[tuple[int, float]]


@dataclass(frozen=True)
class _Panel:
    """One metric.

    Attributes:
        name: Key of the metric in the history.
        curves: Epochs and finite values of `training` and `validation`.
        logarithmic: Whether the values need a logarithmic axis.
    """

    name: str
    curves: dict[str, Points]
    logarithmic: bool

    @property
    def title(self) -> str:
        """Return the heading of the panel."""
        return words(self.name) + (" (logarithmic)" if self.logarithmic else "")


def _panels(history: pd.DataFrame) -> list[_Panel]:
    """Return the panels: metrics to maximize, then the losses, then the learning rate."""
    names = [
        name
        for name in history.select_dtypes("number").columns
        if name not in _NOT_SHOWN
        and not name.startswith(_VALIDATION)
        and np.isfinite(history[name]).any()
    ]
    names.sort(key=lambda name: (name == "learning_rate", name.endswith("loss")))
    return [_panel(history, name) for name in names]


def _panel(history: pd.DataFrame, name: str) -> _Panel:
    columns = {"training": name, "validation": _VALIDATION + name}
    curves = {
        kind: [
            (int(epoch), float(value))
            for epoch, value in zip(history["epoch"], history[column], strict=True)
            if math.isfinite(value)
        ]
        for kind, column in columns.items()
        if column in history
    }
    values = [value for points in curves.values() for _, value in points]
    falls = min(values) > 0 and max(values) / min(values) > _LARGEST_RATIO
    return _Panel(name, curves, falls and name.endswith(("loss", "learning_rate")))


def learning_curves(training_history: pd.DataFrame) -> go.Figure:
    """Return the curves as a Plotly figure.

    Args:
        training_history: One row per epoch: `epoch` from 1, and Keras' logs, those of the
            validation split with the prefix `val_`.
    """
    panels = _panels(training_history)
    rows = max(1, -(-len(panels) // _COLUMNS))
    figure = make_subplots(
        rows=rows,
        cols=_COLUMNS,
        subplot_titles=[panel.title for panel in panels],
        vertical_spacing=0.35 / rows,
    )
    for index, panel in enumerate(panels):
        place = {"row": index // _COLUMNS + 1, "col": index % _COLUMNS + 1}
        for kind, points in panel.curves.items():
            dash, symbol, color = _STYLES[kind]
            figure.add_scatter(
                name=kind,
                x=[epoch for epoch, _ in points],
                y=[value for _, value in points],
                mode="lines+markers",
                line={"dash": dash, "color": color},
                marker={"symbol": symbol, "size": 5},
                legendgroup=kind,
                showlegend=index == 0,
                **place,
            )
        if panel.logarithmic:
            figure.update_yaxes(type="log", dtick="D2", **place)
        figure.update_xaxes(title=_X, **place)
    subtitle = f"{len(training_history)} epochs; training solid, validation dashed"
    figure.update_layout(**plotly_layout(_TITLE, subtitle))
    # The legend is above the headings of the panels.
    figure.update_layout(
        height=190 + _PANEL_HEIGHT * rows, legend={"y": 1 + 30 / (_PANEL_HEIGHT * rows)}
    )
    return figure


def learning_curve_drawings(history: pd.DataFrame) -> list[Markup]:
    """Return one SVG chart per metric; see `learning_curves`."""
    return [_drawing(panel, history["epoch"]) for panel in _panels(history)]


def _drawing(panel: _Panel, epochs: "pd.Series[int]") -> Markup:
    values = [value for points in panel.curves.values() for _, value in points]
    y = _svg.axis_for(values, 190.0, 32.0, logarithmic=panel.logarithmic)
    first, last = int(epochs.min()), int(epochs.max())
    x = _svg.Axis(first - 0.5, last + 0.5, 50.0, 350.0)
    ends = "; ".join(
        f"{kind}: {plain(points[0][1])} in the first epoch, {plain(points[-1][1])} in the last"
        for kind, points in panel.curves.items()
        if points
    )
    step = max(1, math.ceil((last - first + 1) / 8))
    return _svg.drawing(
        f"curve-{panel.name}",
        f"{panel.title} by epoch",
        f"{ends}.",
        (360.0, 232.0),
        *_svg.axes(x, y, (_X, ""), [(at, str(at)) for at in range(first, last + 1, step)]),
        _svg.text(0, 14, panel.title, "name"),
        *(_curve(points, x, y, kind) for kind, points in panel.curves.items()),
    )


def _curve(points: Points, x: _svg.Axis, y: _svg.Axis, kind: str) -> Markup:
    path = "M" + "L".join(f"{x.at(epoch):.2f} {y.at(value):.2f}" for epoch, value in points)
    dots = [
        _svg.element(
            "circle",
            _svg.element("title", f"{kind}, epoch {plain(epoch)}: {plain(value)}"),
            cx=x.at(epoch),
            cy=y.at(value),
            r=2.5,
        )
        for epoch, value in points
        if len(points) <= _MARKED_EPOCHS
    ]
    return _svg.element("g", _svg.element("path", d=path), *dots, class_=f"curve {kind}")
