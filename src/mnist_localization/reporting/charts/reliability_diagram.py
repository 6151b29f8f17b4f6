"""Reliability diagram: accuracy of the label by its confidence."""

import plotly.graph_objects as go
from markupsafe import Markup
from plotly.subplots import make_subplots

from mnist_localization.reporting.charts import Chart, ChartData, _drawing
from mnist_localization.reporting.html.formatting import count, percent, ratio

_TITLE = "Accuracy of the label by confidence"
_X = "Confidence of the predicted label (0 to 1)"
_ACCURACY = "Accuracy (0 to 1)"
# Most images are in one bin: a logarithmic axis keeps the others visible.
_IMAGES = "Images (log.)"


def _points(data: ChartData) -> list[tuple[float, float, int]]:
    """Return confidence, accuracy and images of each bin that has images."""
    return [
        (each.confidence, each.accuracy, each.images)
        for each in data.metrics.calibration.bins
        if each.confidence is not None and each.accuracy is not None
    ]


def _summary(data: ChartData) -> str:
    metrics = data.metrics
    error = ratio(metrics.calibration.ece)
    return f"{count(metrics.images)} test images; expected calibration error {error}"


def _plotly(data: ChartData) -> go.Figure:
    confidence, accuracy, images = zip(*_points(data), strict=True)
    bins = data.metrics.calibration.bins
    upper, lower = {"row": 1, "col": 1}, {"row": 2, "col": 1}
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3])
    figure.add_scatter(
        name="perfectly calibrated",
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"dash": "dash", "color": _drawing.MEDIUM},
        **upper,
    )
    figure.add_scatter(
        name="model",
        x=confidence,
        y=accuracy,
        mode="lines+markers",
        marker={"size": 9, "symbol": "circle"},
        line={"color": _drawing.DARK},
        customdata=images,
        hovertemplate="confidence %{x:.3f}, accuracy %{y:.3f}, %{customdata} images<extra></extra>",
        **upper,
    )
    figure.add_bar(
        name="images",
        x=[(each.low + each.high) / 2 for each in bins],
        y=[each.images for each in bins],
        width=1 / len(bins),
        marker={"color": _drawing.LIGHT, "line": {"color": _drawing.DARK, "width": 1}},
        showlegend=False,
        **lower,
    )
    figure.update_layout(**_drawing.plotly_layout(_TITLE, _summary(data)))
    figure.update_xaxes(range=[0, 1.01])
    figure.update_xaxes(title=_X, **lower)
    figure.update_yaxes(title=_ACCURACY, range=[0, 1.02], **upper)
    figure.update_yaxes(title=_IMAGES, type="log", **lower)
    return figure


def _svg_chart(data: ChartData) -> Markup:
    points = _points(data)
    most = max(images for _, _, images in points)
    x = _drawing.Axis(0.0, 1.0, 62.0, 350.0)
    y, y_images = (
        _drawing.Axis(0.0, 1.0, 230.0, 28.0),
        _drawing.Axis(0.5, most * 1.05, 362.0, 262.0, True),
    )
    dots = []
    for confidence, accuracy, images in points:
        scores = f"confidence {ratio(confidence)}, accuracy {percent(accuracy)}"
        tooltip = f"{count(images)} images: {scores}"
        dots.append(_drawing.dot(x.at(confidence), y.at(accuracy), 4, tooltip))
    bins = [(each.low, each.high, each.images) for each in data.metrics.calibration.bins]
    return _drawing.drawing(
        "reliability",
        _TITLE,
        f"{_summary(data)}.",
        (364.0, 406.0),
        _drawing.text(4, 14, _summary(data), "tick start"),
        *_drawing.axes(x, y, ("", _ACCURACY), _drawing.UNIT_TICKS),
        *_drawing.axes(x, y_images, (_X, _IMAGES), _drawing.UNIT_TICKS),
        _drawing.element("line", x1=x.at(0), y1=y.at(0), x2=x.at(1), y2=y.at(1), class_="ideal"),
        _drawing.element("g", *dots, class_="curve validation"),
        _drawing.histogram(x, y_images, bins, "Confidence"),
    )


CHART = Chart(
    title=_TITLE,
    caption="Points on the diagonal are perfectly calibrated: of the labels with a confidence of "
    "0.9, 90 % are correct. Below the diagonal the model is overconfident. The bars show the "
    "number of images.",
    plotly=_plotly,
    svg=_svg_chart,
)
