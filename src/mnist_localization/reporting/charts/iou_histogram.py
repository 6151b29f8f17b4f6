"""How the IoU is spread over the images, for the model and the baselines."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from mnist_localization.reporting.charts.style import DARK, LIGHT, MEDIUM, layout

_BINS = 40
_BASELINE_LINES = (("dash", MEDIUM), ("dot", DARK), ("dashdot", MEDIUM))


def iou_histogram(iou: npt.ArrayLike, baselines: Mapping[str, npt.ArrayLike]) -> go.Figure:
    """Histogram of the IoU, the model's as bars and each baseline's as a line.

    Args:
        iou: IoU of each image's predicted box, `[n]`, in [0, 1].
        baselines: Name of a baseline to its IoU, `[n]`.

    Returns:
        A figure whose bars are shares of the images, in %.
    """
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    figure = go.Figure()
    figure.add_bar(
        name=_name("model", iou),
        x=((edges[:-1] + edges[1:]) / 2).tolist(),
        y=_shares(iou, edges),
        width=1 / _BINS,
        marker={"color": LIGHT, "line": {"color": DARK, "width": 1}},
        hovertemplate="IoU %{x:.3f}: %{y:.2f} %<extra>model</extra>",
    )
    for (name, values), (dash, color) in zip(baselines.items(), _BASELINE_LINES, strict=False):
        shares = _shares(values, edges)
        figure.add_scatter(
            name=_name(name, values),
            x=edges.tolist(),
            y=[*shares, shares[-1]],
            mode="lines",
            line={"dash": dash, "color": color, "width": 2, "shape": "hv"},
            hovertemplate=f"IoU from %{{x:.3f}}: %{{y:.2f}} %<extra>{name}</extra>",
        )
    images = np.size(iou)
    figure.update_layout(
        **layout("How well the boxes fit: IoU of model and baselines", f"{images:,} test images"),
        bargap=0,
    )
    figure.update_xaxes(title="IoU of predicted and true box", range=[0, 1.005])
    figure.update_yaxes(title="Images (%)", rangemode="tozero")
    return figure


def _shares(values: npt.ArrayLike, edges: npt.NDArray[np.float64]) -> list[float]:
    counts, _ = np.histogram(np.asarray(values), bins=edges)
    return [float(share) for share in 100 * counts / np.size(values)]


def _name(name: str, values: npt.ArrayLike) -> str:
    return f"{name} (mean {np.asarray(values).mean():.3f})"
