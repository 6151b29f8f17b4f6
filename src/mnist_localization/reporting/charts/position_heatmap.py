"""Mean IoU by position of the object in the image."""

from dataclasses import dataclass

import plotly.graph_objects as go
from markupsafe import Markup

from mnist_localization.evaluation.breakdowns import RegionScores
from mnist_localization.reporting.charts import (
    SCALE,
    Chart,
    ChartData,
    _svg,
    plotly_layout,
)
from mnist_localization.reporting.html.formatting import count, percent, ratio

_TITLE = "Mean IoU by position of the object"
_SIZE = 64.0  # of a cell in the SVG


@dataclass(frozen=True)
class _Map:
    """Regions of the image, and the axes that they lie on.

    Attributes:
        rows: Regions, row by row from the top.
        width: Range of the horizontal axis.
        height: Range of the vertical axis, which points down.
        titles: Titles of the horizontal and of the vertical axis.
        lowest: Mean IoU at the light end of the color scale.
        summary: Main result.
    """

    rows: list[tuple[RegionScores, ...]]
    width: int
    height: int
    titles: tuple[str, str]
    lowest: float
    summary: str


def _map(data: ChartData) -> _Map:
    regions, image = data.metrics.by_position, data.dataset.image
    grid = 1 + max(region.row for region in regions)
    # Images of several sizes have no common pixels: positions are shares of the image.
    width, height, unit = image.width, image.height, "pixels"
    if image.letterbox:
        width, height, unit = 100, 100, "% of the image"
    means = [region.mean_iou for region in regions if region.mean_iou is not None]
    return _Map(
        rows=[regions[start : start + grid] for start in range(0, grid * grid, grid)],
        width=width,
        height=height,
        titles=(f"x of the true box center ({unit})", f"y of the true box center ({unit})"),
        # The scale spans at least 0.05, so that random differences do not look like a pattern.
        lowest=min(0.95, *means),
        summary=f"{count(data.metrics.images)} test images; mean IoU of a region from "
        f"{ratio(min(means))} to {ratio(max(means))}",
    )


def _lines(region: RegionScores) -> list[str]:
    if region.mean_iou is None or region.label_accuracy is None:
        return ["no image"]
    accuracy = percent(region.label_accuracy)
    return [f"IoU {region.mean_iou:.3f}", f"label {accuracy}", f"n={count(region.images)}"]


def _plotly(data: ChartData) -> go.Figure:
    shown = _map(data)
    figure = go.Figure(
        go.Heatmap(
            x=_middles(len(shown.rows), shown.width),
            y=_middles(len(shown.rows), shown.height),
            z=[[region.mean_iou for region in row] for row in shown.rows],
            text=[["<br>".join(_lines(region)) for region in row] for row in shown.rows],
            texttemplate="%{text}",
            colorscale=SCALE,
            zmin=shown.lowest,
            zmax=1,
            colorbar={"title": {"text": "Mean IoU"}},
            hovertemplate="center near x %{x:.0f}, y %{y:.0f}: %{text}<extra></extra>",
        )
    )
    figure.update_layout(**plotly_layout(_TITLE, shown.summary))
    figure.update_xaxes(title=shown.titles[0], range=[0, shown.width])
    figure.update_yaxes(title=shown.titles[1], range=[shown.height, 0])
    return figure


def _middles(grid: int, length: int) -> list[float]:
    return [length * (index + 0.5) / grid for index in range(grid)]


def _svg_chart(data: ChartData) -> Markup:
    shown = _map(data)
    left, top, grid = 58.0, 8.0, len(shown.rows)
    side = grid * _SIZE
    parts = [
        _svg.text(left + side / 2, top + side + 38, shown.titles[0], "axis-title"),
        _svg.text(12, top + side / 2, shown.titles[1], "axis-title", upright=True),
    ]
    for tick in range(grid + 1):
        x, y = (f"{length * tick / grid:.0f}" for length in (shown.width, shown.height))
        parts.append(_svg.text(left + tick * _SIZE, top + side + 16, x, "tick"))
        parts.append(_svg.text(left - 7, top + tick * _SIZE + 4, y, "tick row-name"))
    for region in data.metrics.by_position:
        mean = region.mean_iou
        parts.append(
            _svg.cell(
                (left + region.column * _SIZE, top + region.row * _SIZE),
                _SIZE,
                0.0 if mean is None else (mean - shown.lowest) / (1 - shown.lowest),
                label="·" if mean is None else f"{mean:.3f}",
                tooltip=", ".join(_lines(region)),
                kind="right",
            )
        )
    size = (left + side + 12, top + side + 44)
    return _svg.drawing("iou-by-position", _TITLE, f"{shown.summary}.", size, *parts)


CHART = Chart(
    title=_TITLE,
    caption="Mean IoU of the test images whose true box has its center in the region. A stronger "
    "color is a higher IoU.",
    plotly=_plotly,
    svg=_svg_chart,
)
