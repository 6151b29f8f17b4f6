import re

from mnist_localization.reporting.charts.reliability_diagram import CHART


def test_empty_bins_are_not_in_the_curve(make_data):
    figure = CHART.plotly(make_data())
    diagonal, model, images = figure.data
    assert diagonal.line.dash == "dash"
    assert (model.x, model.y) == ((0.85,), (0.8,))
    assert images.y == (0, 10)
    assert "0.0500" in figure.layout.title.subtitle.text


def test_the_svg_has_a_point_and_a_bar_for_each_bin_with_images(make_data):
    svg = CHART.svg(make_data())
    assert re.findall(r"<circle[^>]*><title>([^<]*)</title>", svg) == [
        "10 images: confidence 0.8500, accuracy 80.00\u00a0%"
    ]
    assert re.findall(r"<title>(Confidence [^<]*)</title>", svg) == [
        "Confidence 0.50 to 1.00: 10 images"
    ]
