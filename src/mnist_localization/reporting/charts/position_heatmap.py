"""Mean IoU by position of the object in the image."""

from itertools import pairwise

import plotly.graph_objects as go
from markupsafe import Markup

from mnist_localization.evaluation.breakdowns import RegionScores
from mnist_localization.reporting.charts import Cell, Chart, ChartData, HeatMap, _drawing
from mnist_localization.reporting.html.formatting import DASH, count, percent, ratio

_TITLE = "Mean IoU by position of the object"


def _means(data: ChartData) -> list[float]:
    """Return the mean IoU of each region that has images."""
    means = (region.mean_iou for region in data.metrics.by_position)
    return [mean for mean in means if mean is not None]


def _summary(data: ChartData) -> str:
    means = _means(data)
    span = f"{ratio(min(means))} to {ratio(max(means))}"
    return f"{count(data.metrics.images)} test images; mean IoU of a region from {span}"


def _map(data: ChartData) -> HeatMap:
    regions, image = data.metrics.by_position, data.dataset.image
    grid = 1 + max(region.row for region in regions)
    # Images of several sizes have no common pixels, so positions are shares of the image.
    width, height, unit = image.width, image.height, "pixels"
    if image.letterbox:
        width, height, unit = 100, 100, "% of the image"
    cells = [_cell(region) for region in regions]
    return HeatMap(
        cells=[cells[start : start + grid] for start in range(0, grid * grid, grid)],
        columns=_ranges(grid, width),
        rows=_ranges(grid, height),
        titles=(f"x of the true box center ({unit})", f"y of the true box center ({unit})"),
        scale="Mean IoU",
        # The scale spans at least 0.05, so that random differences do not look like a pattern.
        low=min(0.95, *_means(data)),
        high=1.0,
        size=64.0,
    )


def _cell(region: RegionScores) -> Cell:
    if region.mean_iou is None or region.label_accuracy is None:
        return Cell(None, "no image", "no image")
    scores = f"IoU {region.mean_iou:.4f}, label accuracy {percent(region.label_accuracy)}"
    return Cell(
        region.mean_iou, f"{region.mean_iou:.3f}", f"{scores}, {count(region.images)} images"
    )


def _ranges(grid: int, length: int) -> list[str]:
    ends = [f"{length * index / grid:.0f}" for index in range(grid + 1)]
    return [f"{low}{DASH}{high}" for low, high in pairwise(ends)]


def _plotly(data: ChartData) -> go.Figure:
    return _map(data).plotly().update_layout(**_drawing.plotly_layout(_TITLE, _summary(data)))


def _svg_chart(data: ChartData) -> Markup:
    size, parts = _map(data).svg()
    return _drawing.drawing("iou-by-position", _TITLE, f"{_summary(data)}.", size, *parts)


CHART = Chart(
    title=_TITLE,
    caption="Mean IoU of the test images whose true box has its center in the region. A stronger "
    "color is a higher IoU.",
    plotly=_plotly,
    svg=_svg_chart,
)
