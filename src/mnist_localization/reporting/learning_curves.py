"""Learning curves: every logged metric over the epochs, one panel each."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mnist_localization.reporting.charts.style import DARK, MEDIUM, layout

_VALIDATION = "val_"
# Not judged on a split, so not worth a panel of metrics.
_BOOKKEEPING = ("epoch", "seconds")
_LOGARITHMIC = ("loss", "learning_rate")
_PANEL_HEIGHT = 260
_COLUMNS = 2


def learning_curves(history: pd.DataFrame) -> go.Figure:
    """Training solid, validation dashed; losses and the learning rate on a logarithmic axis.

    Args:
        history: One row an epoch: `epoch` from 1, and Keras' logs, those of the validation
            split with the prefix `val_`.

    Returns:
        A figure with one panel for each metric.
    """
    names = _metric_names(history)
    rows = max(1, -(-len(names) // _COLUMNS))
    figure = make_subplots(
        rows=rows,
        cols=_COLUMNS,
        subplot_titles=[name.replace("_", " ") for name in names],
        vertical_spacing=0.35 / rows,
    )
    for index, name in enumerate(names):
        place = {"row": index // _COLUMNS + 1, "col": index % _COLUMNS + 1}
        for key, legend, dash, symbol, color in (
            (name, "training", "solid", "circle", DARK),
            (_VALIDATION + name, "validation", "dash", "diamond", MEDIUM),
        ):
            if key in history:
                figure.add_scatter(
                    name=legend,
                    x=history["epoch"].tolist(),
                    y=history[key].astype(float).tolist(),
                    mode="lines+markers",
                    line={"dash": dash, "color": color},
                    marker={"symbol": symbol, "size": 5},
                    legendgroup=legend,
                    showlegend=index == 0,
                    **place,
                )
        logarithmic = name.endswith(_LOGARITHMIC) and (history[name] > 0).all()
        if logarithmic:
            figure.update_yaxes(type="log", dtick="D2", **place)
        figure.update_xaxes(title="Epoch", **place)
    subtitle = f"{len(history)} epochs; training solid, validation dashed"
    figure.update_layout(**layout("How the training went", subtitle))
    # The legend stands above the names of the panels.
    figure.update_layout(
        height=190 + _PANEL_HEIGHT * rows, legend={"y": 1 + 30 / (_PANEL_HEIGHT * rows)}
    )
    return figure


def _metric_names(history: pd.DataFrame) -> list[str]:
    """Names without prefix: what is to grow first, then the losses, then the learning rate."""
    names = [
        name
        for name in history.columns
        if name not in _BOOKKEEPING and not name.startswith(_VALIDATION)
    ]
    return sorted(names, key=lambda name: (name == "learning_rate", name.endswith("loss")))
