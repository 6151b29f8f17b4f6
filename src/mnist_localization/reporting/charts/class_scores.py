"""Recall, mean IoU and average precision of each class, or of the worst of many classes."""

import plotly.graph_objects as go
from markupsafe import Markup

from mnist_localization.evaluation.breakdowns import SHOWN_CLASSES, ClassScores, worst_classes
from mnist_localization.reporting.charts import Chart, ChartData, _drawing
from mnist_localization.reporting.html.formatting import count

_TITLE = "Scores by class"
_CLASS = "True class (n = test images)"
_SCORE = "Score (0 to 1)"
# Name of each score; Plotly's color and pattern, which distinguishes the bars in grayscale.
_SCORES = {
    "recall": ("recall of the label", _drawing.DARK, ""),
    "mean_iou": ("mean IoU of the box", _drawing.LIGHT, "/"),
    "ap": ("average precision (COCO)", _drawing.MEDIUM, "."),
}


def _shown(data: ChartData) -> tuple[list[ClassScores], str]:
    """Return the classes to show, and a summary."""
    classes = list(worst_classes(data.metrics.per_class))
    total = len(data.metrics.per_class)
    summary = f"{count(data.metrics.images)} test images"
    if len(classes) < total:
        summary += f"; the {len(classes)} of {count(total)} classes with the lowest recall"
    return classes, summary


def _plotly(data: ChartData) -> go.Figure:
    classes, summary = _shown(data)
    figure = go.Figure()
    for key, (name, color, pattern) in _SCORES.items():
        values = [getattr(each, key) for each in classes]
        figure.add_bar(
            name=name,
            x=[f"{each.name}<br>n={count(each.images)}" for each in classes],
            y=values,
            text=["" if value is None else f"{value:.3f}" for value in values],
            textangle=-90,
            textposition="outside",
            marker={
                "color": color,
                "pattern": {"shape": pattern},
                "line": {"color": _drawing.DARK},
            },
        )
    figure.update_layout(**_drawing.plotly_layout(_TITLE, summary), barmode="group")
    figure.update_xaxes(title=_CLASS, type="category")
    figure.update_yaxes(title=_SCORE, range=[0, 1.16], tickvals=[0, 0.2, 0.4, 0.6, 0.8, 1])
    return figure


def _svg_chart(data: ChartData) -> Markup:
    classes, summary = _shown(data)
    rows = [
        (
            f"{each.name} (n={count(each.images)})",
            [
                (value, f"{value or 0:.3f}", f"series-{number}")
                for number, value in enumerate(getattr(each, key) for key in _SCORES)
            ],
        )
        for each in classes
    ]
    size, bars = _drawing.bar_rows(rows, 1.0, (_CLASS, _SCORE), top=16)
    entries = [(f"series-{number}", name) for number, (name, *_) in enumerate(_SCORES.values())]
    legend = _drawing.legend(entries, 4, 2)
    return _drawing.drawing("class-scores", _TITLE, f"{summary}.", size, *legend, *bars)


CHART = Chart(
    title=_TITLE,
    caption="Recall of the label, mean IoU of the box and average precision of each class. With "
    f"more than {SHOWN_CLASSES} classes, those with the lowest recall are shown.",
    plotly=_plotly,
    svg=_svg_chart,
)
