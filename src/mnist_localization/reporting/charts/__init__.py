"""Registry of the charts of the evaluation: each module defines one `CHART`.

A chart is defined once and drawn twice: as a Plotly figure for kedro viz and as SVG for the HTML
report.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup

from mnist_localization.config.data import DatasetSettings
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.registry import load_modules
from mnist_localization.reporting.charts import _drawing
from mnist_localization.reporting.html.formatting import shortened


@dataclass(frozen=True)
class ChartData:
    """Results of an evaluation, from which every chart is drawn.

    Attributes:
        metrics: The dataset `metrics`.
        predictions: The table `predictions`.
        baseline_predictions: The same columns for each baseline, named by `baseline`.
        dataset: The section `dataset`.
    """

    metrics: Metrics
    predictions: pd.DataFrame
    baseline_predictions: pd.DataFrame
    dataset: DatasetSettings


@dataclass(frozen=True)
class Chart:
    """Contract of a chart.

    Attributes:
        title: Heading that states what is shown.
        caption: One or two sentences that explain how to read it.
        plotly: Draws the chart as a Plotly figure.
        svg: Draws the chart as an SVG element; made with `_drawing.drawing`.
    """

    title: str
    caption: str
    plotly: Callable[[ChartData], go.Figure]
    svg: Callable[[ChartData], Markup]


def load_charts() -> dict[str, Chart]:
    """Return all charts by name, sorted."""
    return {name: module.CHART for name, module in load_modules("reporting/charts").items()}


@dataclass(frozen=True)
class Cell:
    """A cell of a heat map.

    Attributes:
        value: Value on the color scale, or `None` for no color.
        label: Text inside.
        tooltip: Text that is shown on hovering.
        kind: `right` or `wrong`, which have different colors in the SVG.
    """

    value: float | None
    label: str
    tooltip: str
    kind: str = "right"


@dataclass(frozen=True)
class HeatMap:
    """A table of colored cells.

    Attributes:
        cells: Cells, row by row from the top.
        columns: Names of the columns.
        rows: Names of the rows.
        titles: Titles of columns and rows.
        scale: Title of the color scale.
        low: Value of the lightest color.
        high: Value of the strongest color.
        size: Side of a cell in the SVG.
    """

    cells: Sequence[Sequence[Cell]]
    columns: Sequence[str]
    rows: Sequence[str]
    titles: tuple[str, str]
    scale: str
    low: float
    high: float
    size: float

    def plotly(self) -> go.Figure:
        """Return the Plotly figure, without a title."""
        figure = go.Figure(
            go.Heatmap(
                x=list(self.columns),
                y=list(self.rows),
                z=[[cell.value for cell in row] for row in self.cells],
                text=[[cell.label for cell in row] for row in self.cells],
                texttemplate="%{text}",
                hovertext=[[cell.tooltip for cell in row] for row in self.cells],
                hovertemplate="%{hovertext}<extra></extra>",
                colorscale="Greys",
                zmin=self.low,
                zmax=self.high,
                colorbar={"title": {"text": self.scale}},
            )
        )
        # Names such as "7" are categories, not numbers.
        figure.update_xaxes(title=self.titles[0], type="category", showgrid=False)
        figure.update_yaxes(title=self.titles[1], type="category", showgrid=False)
        figure.update_yaxes(autorange="reversed")
        return figure

    def svg(self) -> tuple[tuple[float, float], list[Markup]]:
        """Return the size of the drawing and its elements."""
        letters = min(14, max(map(len, (*self.columns, *self.rows))))
        upright = 7 * letters >= self.size
        left, top = 36.0 + 7.0 * letters, 38.0 + (7.0 * letters if upright else 18.0)
        width, height = self.size * len(self.columns), self.size * len(self.rows)
        parts = [
            _drawing.text(left + width / 2, 16, self.titles[0], "axis-title"),
            _drawing.text(14, top + height / 2, self.titles[1], "axis-title", upright=True),
        ]
        for number, name in enumerate(self.columns):
            x, y, kind = left + (number + 0.5) * self.size, top - 10, "tick"
            if upright:
                x, y, kind = x + 4, top - 8, "tick start"
            parts.append(_drawing.text(x, y, shortened(name, letters), kind, upright=upright))
        for number, (name, row) in enumerate(zip(self.rows, self.cells, strict=True)):
            y = top + number * self.size
            middle = y + self.size / 2 + 4
            parts.append(_drawing.text(left - 8, middle, shortened(name, letters), "tick row-name"))
            for column, cell in enumerate(row):
                parts.append(self._cell(cell, left + column * self.size, y))
        return (left + width + 8, top + height + 8), parts

    def _cell(self, cell: Cell, left: float, top: float) -> Markup:
        side = self.size - 2
        place = {"x": left + 1, "y": top + 1, "width": side, "height": side, "rx": 3.0}
        strength = 0.0
        if cell.value is not None:
            strength = (cell.value - self.low) / (self.high - self.low)
        opacity = 0.15 + 0.85 * math.sqrt(strength) if strength else 0.0
        return _drawing.element(
            "g",
            _drawing.element("title", cell.tooltip),
            _drawing.element("rect", class_="ground", **place),
            _drawing.element("rect", class_="tint", fill_opacity=opacity, **place),
            _drawing.text(left + self.size / 2, top + self.size / 2 + 4, cell.label, "value"),
            class_=f"cell {cell.kind} {'strong' if strength > 0.35 else 'weak'}",
        )
