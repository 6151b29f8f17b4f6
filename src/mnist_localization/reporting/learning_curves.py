"""Learning curves: one panel per logged metric over the epochs."""

import math
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup
from plotly.subplots import make_subplots

from mnist_localization.reporting.charts import _drawing
from mnist_localization.reporting.charts._drawing import DARK, MEDIUM, plotly_layout
from mnist_localization.reporting.html.formatting import plain, words

_TITLE = "Learning curves"
_X = "Epoch"
_VALIDATION = "val_"
# Losses and learning rates that change by a larger factor are drawn on a logarithmic axis.
_LARGEST_RATIO = 30.0
# Markers of more epochs than this would hide the curve.
_MARKED_EPOCHS = 40
_PANEL_HEIGHT = 260
_COLUMNS = 2
# Dash, marker and color of each curve in Plotly.
_STYLES = {"training": ("solid", "circle", DARK), "validation": ("dash", "diamond", MEDIUM)}


@dataclass(frozen=True)
class _Panel:
    """One metric.

    Attributes:
        name: Key of the metric in the history.
        title: Heading of the panel.
        curves: Finite values of `training` and `validation`, by epoch.
        low: Smallest value.
        high: Largest value.
        logarithmic: Whether the values need a logarithmic axis.
    """

    name: str
    title: str
    curves: dict[str, "pd.Series[float]"]
    low: float
    high: float
    logarithmic: bool


def _panels(history: pd.DataFrame) -> list[_Panel]:
    """Return the panels: metrics to maximize, then the losses, then the learning rate."""
    measured = history.set_index("epoch").drop(columns="seconds", errors="ignore")
    measured = measured.select_dtypes("number").replace([math.inf, -math.inf], math.nan)
    measured = measured.dropna(axis="columns", how="all")
    names = [name for name in measured.columns if not name.startswith(_VALIDATION)]
    names.sort(key=lambda name: (name == "learning_rate", name.endswith("loss")))
    return [_panel(measured, name) for name in names]


def _panel(measured: pd.DataFrame, name: str) -> _Panel:
    columns = {"training": name, "validation": _VALIDATION + name}
    curves = {
        kind: measured[column].dropna() for kind, column in columns.items() if column in measured
    }
    values = pd.concat(curves.values())
    low, high = values.min(), values.max()
    falls = name.endswith(("loss", "learning_rate")) and 0 < low < high / _LARGEST_RATIO
    title = words(name) + (" (logarithmic)" if falls else "")
    return _Panel(name, title, curves, low, high, falls)


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
        for kind, curve in panel.curves.items():
            dash, symbol, color = _STYLES[kind]
            figure.add_scatter(
                name=kind,
                x=curve.index.tolist(),
                y=curve.tolist(),
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
    return [_draw_panel(panel, history["epoch"]) for panel in _panels(history)]


def _draw_panel(panel: _Panel, epochs: "pd.Series[int]") -> Markup:
    y = _drawing.axis_for((panel.low, panel.high), 190.0, 32.0, logarithmic=panel.logarithmic)
    first, last = int(epochs.min()), int(epochs.max())
    x = _drawing.Axis(first - 0.5, last + 0.5, 50.0, 350.0)
    ends = "; ".join(
        f"{kind}: {plain(curve.iloc[0])} in the first epoch, {plain(curve.iloc[-1])} in the last"
        for kind, curve in panel.curves.items()
    )
    step = max(1, math.ceil((last - first + 1) / 8))
    return _drawing.drawing(
        f"curve-{panel.name}",
        f"{panel.title} by epoch",
        f"{ends}.",
        (360.0, 232.0),
        *_drawing.axes(x, y, (_X, ""), [(at, str(at)) for at in range(first, last + 1, step)]),
        _drawing.text(0, 14, panel.title, "name"),
        *(_curve(curve, x, y, kind) for kind, curve in panel.curves.items()),
    )


def _curve(curve: "pd.Series[float]", x: _drawing.Axis, y: _drawing.Axis, kind: str) -> Markup:
    points = list(zip(curve.index, curve, strict=True))
    path = "M" + "L".join(f"{x.at(epoch):.2f} {y.at(value):.2f}" for epoch, value in points)
    dots = [
        _drawing.dot(x.at(epoch), y.at(value), 2.5, f"{kind}, epoch {plain(epoch)}: {plain(value)}")
        for epoch, value in points
        if len(points) <= _MARKED_EPOCHS
    ]
    return _drawing.element("g", _drawing.element("path", d=path), *dots, class_=f"curve {kind}")
