"""The reliability diagram: confidence against accuracy."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mnist_localization.evaluation import Metrics
from mnist_localization.reporting.charts.style import DARK, LIGHT, MEDIUM, layout


def reliability_diagram(metrics: Metrics) -> go.Figure:
    """How often a label is right at a given confidence, and how often that confidence occurs.

    Args:
        metrics: The dataset `metrics`.
    """
    calibration = metrics.calibration
    bins = calibration.bins
    filled = [row for row in bins if row.images]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3])
    figure.add_scatter(
        name="perfectly calibrated",
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"dash": "dash", "color": MEDIUM},
        row=1,
        col=1,
    )
    figure.add_scatter(
        name="model",
        x=[row.confidence for row in filled],
        y=[row.accuracy for row in filled],
        mode="lines+markers",
        marker={"size": 9, "symbol": "circle"},
        line={"color": DARK},
        customdata=[row.images for row in filled],
        hovertemplate="confidence %{x:.3f}, accuracy %{y:.3f}, %{customdata} images<extra></extra>",
        row=1,
        col=1,
    )
    figure.add_bar(
        name="images",
        x=[(row.low + row.high) / 2 for row in bins],
        y=[row.images for row in bins],
        width=1 / len(bins),
        marker={"color": LIGHT, "line": {"color": DARK, "width": 1}},
        showlegend=False,
        row=2,
        col=1,
    )
    subtitle = f"{metrics.images:,} test images, calibration error {calibration.ece:.4f}"
    figure.update_layout(**layout("Can the confidence be trusted?", subtitle))
    figure.update_xaxes(range=[0, 1.01])
    figure.update_xaxes(title="Confidence of the predicted label (0 to 1)", row=2, col=1)
    figure.update_yaxes(title="Accuracy (0 to 1)", range=[0, 1.02], row=1, col=1)
    # A sure model has nearly all images in one bin: the logarithm keeps the others in sight.
    figure.update_yaxes(title="Images (log)", type="log", row=2, col=1)
    return figure
