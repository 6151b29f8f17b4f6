"""Learning curves of several runs in one chart."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from mnist_localization.reporting.charts import _drawing
from mnist_localization.reporting.charts._drawing import plotly_layout

# Validation metrics that are drawn, with the titles of their panels.
_PANELS = {"val_label_accuracy": "Validation label accuracy", "val_bbox_mean_iou": "Validation IoU"}
# Colors that are visible on white and on black; dashes differ too, for grayscale. The pairs repeat
# after nine runs.
_COLORS = ("#4f8fd9", "#d1603d", "#2f9e6e")
_DASHES = {"solid": "", "dash": "7 4", "dot": "2 3"}


def _styles(count: int) -> list[tuple[str, str]]:
    """Return a color and the name of a dash for each run."""
    names = list(_DASHES)
    return [(_COLORS[n % 3], names[(n + n // 3) % 3]) for n in range(count)]


def run_curves(histories: Mapping[str, pd.DataFrame]) -> Any:
    """Return label accuracy and IoU on the validation split over the epochs as a Plotly figure.

    Args:
        histories: Name of a run and its history; a run without epochs is left out.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=1, cols=2, subplot_titles=list(_PANELS.values()))
    styles = zip(histories.items(), _styles(len(histories)), strict=True)
    for (run, history), (color, dash) in styles:
        for column, metric in enumerate(_PANELS, start=1):
            if metric in history:
                figure.add_scatter(
                    name=run,
                    x=history["epoch"].tolist(),
                    y=history[metric].tolist(),
                    mode="lines",
                    line={"color": color, "dash": dash},
                    legendgroup=run,
                    showlegend=column == 1,
                    row=1,
                    col=column,
                )
    figure.update_xaxes(title="Epoch")
    figure.update_layout(**plotly_layout("Learning curves of the compared runs"))
    figure.update_layout(legend={"orientation": "v", "x": 1.02, "xanchor": "left", "y": 1})
    return figure


def run_curve_drawings(histories: Mapping[str, pd.DataFrame]) -> list[Markup]:
    """Return one SVG chart per metric; see `run_curves`."""
    return [
        _draw(metric, title, histories)
        for metric, title in _PANELS.items()
        if any(metric in history for history in histories.values())
    ]


def _draw(metric: str, title: str, histories: Mapping[str, pd.DataFrame]) -> Markup:
    drawn = {run: table for run, table in histories.items() if metric in table}
    values = pd.concat([table[metric] for table in drawn.values()])
    last = int(max(table["epoch"].max() for table in drawn.values()))
    x = _drawing.Axis(0.5, last + 0.5, 60.0, 420.0)
    y = _drawing.axis_for((values.min(), values.max()), 230.0, 32.0)
    styles = dict(zip(histories, _styles(len(histories)), strict=True))
    step = max(1, -(-last // 8))
    parts = _drawing.axes(x, y, ("Epoch", ""), [(at, str(at)) for at in range(1, last + 1, step)])
    for place, (run, table) in enumerate(drawn.items()):
        color, dash = styles[run]
        points = list(zip(table["epoch"], table[metric], strict=True))
        path = "M" + "L".join(f"{x.at(epoch):.2f} {y.at(value):.2f}" for epoch, value in points)
        line: dict[str, Any] = {
            "stroke": color,
            "stroke_dasharray": _DASHES[dash] or "none",
            "stroke_width": 1.8,
        }
        parts.append(_drawing.element("path", d=path, fill="none", **line))
        top = 44.0 + 16 * place
        parts.append(_drawing.element("path", d=f"M430 {top:.0f}h28", fill="none", **line))
        parts.append(_drawing.text(464, top + 4, run, "tick start"))
    ends = ", ".join(f"{run}: {table[metric].iloc[-1]:.4f}" for run, table in drawn.items())
    size = (640.0, max(272.0, 60.0 + 16 * len(drawn)))
    name = _drawing.text(0, 14, title, "name")
    identifier = f"runs-{metric.replace('_', '-')}"
    return _drawing.drawing(
        identifier, f"{title} by epoch", f"Last epoch: {ends}.", size, name, *parts
    )


def swatches(runs: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return stroke color and dashes of each run, for boxes on images."""
    return {
        run: (color, _DASHES[dash])
        for run, (color, dash) in zip(runs, _styles(len(runs)), strict=True)
    }
