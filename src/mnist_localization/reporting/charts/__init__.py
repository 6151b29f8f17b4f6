"""Registry of the charts of the evaluation: each module defines one `CHART`.

A chart is defined once and drawn twice: as a Plotly figure for kedro viz and as SVG for the HTML
report.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup

from mnist_localization.config import DatasetSettings
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.registry import load_modules

# Plotly colors of decreasing lightness, so that they differ in grayscale too.
DARK = "#1f3a5f"
MEDIUM = "#d1603d"
LIGHT = "#a3c4bc"
SCALE = "Greys"


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
        svg: Draws the chart as an SVG element; made with `_svg.drawing`.
    """

    title: str
    caption: str
    plotly: Callable[[ChartData], go.Figure]
    svg: Callable[[ChartData], Markup]


def load_charts() -> dict[str, Chart]:
    """Return all charts by name, sorted."""
    return {name: module.CHART for name, module in load_modules("reporting/charts").items()}


def plotly_layout(title: str, subtitle: str = "") -> dict[str, Any]:
    """Return the common layout, for `figure.update_layout`."""
    return {
        "title": {"text": title, "subtitle": {"text": subtitle}},
        "template": "simple_white",
        "font": {"size": 13},
        "margin": {"t": 120, "l": 70, "r": 40, "b": 70},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
    }
