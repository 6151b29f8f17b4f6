"""Confusion matrix, or the most frequent confusions if there are many classes."""

import plotly.graph_objects as go
from markupsafe import Markup

from mnist_localization.evaluation.breakdowns import SHOWN_CLASSES, Confusion, most_confused
from mnist_localization.reporting.charts import Cell, Chart, ChartData, HeatMap, _drawing
from mnist_localization.reporting.html.formatting import count, percent, shortened

_TITLE = "Predicted class by true class"
_PAIR = "True class → predicted class"
_IMAGES = "Images (and share of the true class)"
_NO_CONFUSION = "No image was given a wrong class."


def _summary(data: ChartData) -> str:
    matrix = data.metrics.confusion_matrix
    correct = sum(row[label] for label, row in enumerate(matrix))
    total = count(data.metrics.images)
    return f"The predicted class is correct for {count(correct)} of {total} test images"


def _label(pair: Confusion) -> str:
    return f"{count(pair.images)} ({percent(pair.share)})"


def _matrix(data: ChartData) -> HeatMap:
    names = data.dataset.class_names
    cells = []
    for true, row in enumerate(data.metrics.confusion_matrix):
        images = max(1, sum(row))
        cells.append(
            [
                Cell(
                    100 * number / images,
                    count(number) if number else "·",
                    f"True {names[true]}, predicted {names[predicted]}: {count(number)} images, "
                    f"{percent(number / images)} of the true class",
                    "right" if true == predicted else "wrong",
                )
                for predicted, number in enumerate(row)
            ]
        )
    titles = ("Predicted class", "True class")
    return HeatMap(cells, names, names, titles, "Share of the<br>true class (%)", 0, 100, 42.0)


def _is_matrix(data: ChartData) -> bool:
    return len(data.dataset.class_names) <= SHOWN_CLASSES


def _plotly(data: ChartData) -> go.Figure:
    figure = _matrix(data).plotly() if _is_matrix(data) else _plotly_pairs(data)
    figure.update_layout(**_drawing.plotly_layout(_TITLE, _summary(data)))
    return figure


def _plotly_pairs(data: ChartData) -> go.Figure:
    names, pairs = data.dataset.class_names, most_confused(data.metrics.confusion_matrix)
    figure = go.Figure(
        go.Bar(
            orientation="h",
            x=[pair.images for pair in pairs],
            y=[f"{names[pair.true]} → {names[pair.predicted]}" for pair in pairs],
            text=[_label(pair) for pair in pairs],
            marker={"color": _drawing.DARK},
            hovertemplate="%{y}: %{text} of the true class<extra></extra>",
        )
    )
    figure.update_xaxes(title=_IMAGES, rangemode="tozero")
    figure.update_yaxes(title=_PAIR, autorange="reversed", automargin=True)
    if not pairs:
        figure.add_annotation(text=_NO_CONFUSION, showarrow=False)
    return figure


def _svg_chart(data: ChartData) -> Markup:
    name = "confusion-matrix" if _is_matrix(data) else "confusions"
    size, parts = _matrix(data).svg() if _is_matrix(data) else _svg_pairs(data)
    return _drawing.drawing(name, _TITLE, f"{_summary(data)}.", size, *parts)


def _svg_pairs(data: ChartData) -> tuple[tuple[float, float], list[Markup]]:
    pairs = most_confused(data.metrics.confusion_matrix)
    if not pairs:
        return (500.0, 40.0), [_drawing.text(250, 25, _NO_CONFUSION, "tick")]
    names = [shortened(name, 13) for name in data.dataset.class_names]
    rows = [
        (
            f"{names[pair.true]} → {names[pair.predicted]}",
            [(float(pair.images), _label(pair), "bar")],
        )
        for pair in pairs
    ]
    return _drawing.bar_rows(rows, pairs[0].images, (_PAIR, _IMAGES))


CHART = Chart(
    title=_TITLE,
    caption="Number of test images by true class (rows) and predicted class (columns); the "
    f"diagonal is correct. With more than {SHOWN_CLASSES} classes, the most frequent confusions "
    "are shown instead.",
    plotly=_plotly,
    svg=_svg_chart,
)
