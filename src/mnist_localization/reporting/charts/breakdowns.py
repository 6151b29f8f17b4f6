"""Charts of where the errors are: which classes, and which places."""

from collections.abc import Sequence

import plotly.graph_objects as go

from mnist_localization.config import DatasetSettings
from mnist_localization.evaluation import SHOWN_CLASSES, Metrics, most_confused, worst_classes
from mnist_localization.evaluation.breakdowns import RegionScores
from mnist_localization.reporting.charts.style import DARK, LIGHT, MEDIUM, SCALE, layout, percent

_TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1]


def confusion_heatmap(metrics: Metrics, class_names: Sequence[str]) -> go.Figure:
    """True against predicted labels: the number of images, shaded by the share of the row.

    With too many classes for that, bars of the pairs that are mistaken most often.

    Args:
        metrics: The dataset `metrics`.
        class_names: Name of each class, in the order of the labels.
    """
    shown = _matrix if len(class_names) <= SHOWN_CLASSES else _confusions
    figure = shown(metrics.confusion_matrix, class_names)
    figure.update_layout(
        **layout(
            "Which class is taken for which",
            f"{_images(metrics)}, label accuracy {percent(metrics.scores['label_accuracy'])}",
        )
    )
    return figure


def _matrix(counts: Sequence[Sequence[int]], class_names: Sequence[str]) -> go.Figure:
    shares = [[100 * count / max(1, sum(row)) for count in row] for row in counts]
    # Names like "7" are categories here, not numbers.
    axis = {"type": "category", "showgrid": False}
    figure = go.Figure(
        go.Heatmap(
            x=list(class_names),
            y=list(class_names),
            z=shares,
            text=[[str(count) if count else "" for count in row] for row in counts],
            texttemplate="%{text}",
            colorscale=SCALE,
            zmin=0,
            zmax=100,
            colorbar={"title": {"text": "Share of the<br>true class (%)"}},
            hovertemplate="true %{y}, predicted %{x}: %{text} images, %{z:.2f} %<extra></extra>",
        )
    )
    figure.update_xaxes(title="Predicted class", **axis)
    figure.update_yaxes(title="True class", autorange="reversed", **axis)
    return figure


def _confusions(counts: Sequence[Sequence[int]], class_names: Sequence[str]) -> go.Figure:
    pairs = most_confused(counts)
    figure = go.Figure(
        go.Bar(
            orientation="h",
            x=[pair.images for pair in pairs],
            y=[f"{class_names[pair.true]} → {class_names[pair.predicted]}" for pair in pairs],
            text=[f"{pair.images} ({percent(pair.share)})" for pair in pairs],
            marker={"color": DARK},
            hovertemplate="%{y}: %{text} of the true class<extra></extra>",
        )
    )
    figure.update_xaxes(title="Images (and share of the true class)", rangemode="tozero")
    if not pairs:
        figure.add_annotation(text="No image was given a wrong class.", showarrow=False)
    figure.update_yaxes(
        title="True class → predicted class, the most frequent mistakes",
        autorange="reversed",
        automargin=True,
    )
    return figure


def class_scores(metrics: Metrics) -> go.Figure:
    """Recall, mean IoU and average precision as bars: of each class, or of the worst of many.

    Args:
        metrics: The dataset `metrics`.
    """
    entries = worst_classes(metrics.per_class)
    classes = len(metrics.per_class)
    subtitle = _images(metrics)
    if len(entries) < classes:
        subtitle += f"; the {len(entries)} classes of {classes:,} with the lowest recall"
    names = [f"{entry.name}<br>n={entry.images}" for entry in entries]
    figure = go.Figure()
    # The pattern tells the bars apart where the color does not.
    for key, name, color, pattern in (
        ("recall", "recall of the label", DARK, ""),
        ("mean_iou", "mean IoU of the box", LIGHT, "/"),
        ("ap", "average precision (COCO)", MEDIUM, "."),
    ):
        values = [getattr(entry, key) for entry in entries]
        figure.add_bar(
            name=name,
            x=names,
            y=values,
            text=["" if value is None else f"{value:.3f}" for value in values],
            textangle=-90,
            textposition="outside",
            marker={"color": color, "pattern": {"shape": pattern}, "line": {"color": DARK}},
        )
    figure.update_layout(**layout("How each class fares", subtitle), barmode="group")
    figure.update_xaxes(title="True class, and its number of test images", type="category")
    figure.update_yaxes(title="Score (0 to 1)", range=[0, 1.16], tickvals=_TICKS)
    return figure


def position_heatmap(metrics: Metrics, dataset: DatasetSettings) -> go.Figure:
    """Mean IoU by where in the image the center of the true box lies.

    Args:
        metrics: The dataset `metrics`.
        dataset: Gives the size of the images; where they have many, places are shares of it.
    """
    image = dataset.image
    height, width, unit = (image.height, image.width, "pixels")
    if image.letterbox:
        height, width, unit = 100, 100, "% of the image"
    cells = metrics.by_position
    grid = 1 + max(cell.row for cell in cells)
    rows = [cells[start : start + grid] for start in range(0, grid * grid, grid)]
    figure = go.Figure(
        go.Heatmap(
            x=_middles(grid, width),
            y=_middles(grid, height),
            z=[[cell.mean_iou for cell in row] for row in rows],
            text=[[_cell_text(cell) for cell in row] for row in rows],
            texttemplate="%{text}",
            colorscale=SCALE,
            reversescale=True,
            # At least a twentieth of the scale, so that chance does not look like a pattern.
            zmin=min([0.95, *(cell.mean_iou for cell in cells if cell.mean_iou is not None)]),
            zmax=1,
            colorbar={"title": {"text": "Mean IoU"}},
            hovertemplate="center near x %{x:.0f}, y %{y:.0f}: %{text}<extra></extra>",
        )
    )
    figure.update_layout(
        **layout(
            "Does the border suffer? Mean IoU by position",
            f"{_images(metrics)}, mean IoU {metrics.scores['mean_iou']:.4f}",
        )
    )
    figure.update_xaxes(title=f"x of the true box's center ({unit})", range=[0, width])
    figure.update_yaxes(title=f"y of the true box's center ({unit})", range=[height, 0])
    return figure


def _middles(grid: int, length: int) -> list[float]:
    return [length * (index + 0.5) / grid for index in range(grid)]


def _cell_text(cell: RegionScores) -> str:
    if cell.mean_iou is None:
        return "no image"
    return (
        f"IoU {cell.mean_iou:.3f}<br>label {percent(cell.label_accuracy)}"
        f"<br>n={cell.images}"
    )


def _images(metrics: Metrics) -> str:
    return f"{metrics.images:,} test images"
