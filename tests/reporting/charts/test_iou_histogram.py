import math
import re

import pytest

from mnist_localization.reporting.charts.iou_histogram import CHART


def heights(svg):
    return [float(height) for height in re.findall(r' height="(\S+)" rx', svg)]


def test_the_histogram_counts_every_image_of_model_and_baselines_once(make_data):
    data = make_data([1.0, 0.999, 0.5, 0.0], baselines={"mean_box": [0.0] * 4})
    model, baseline = CHART.plotly(data).data
    assert sum(model.y) == 4
    assert model.y[-1] == 2  # an IoU of exactly 1 belongs to the last bin
    assert (model.y[0], baseline.y[0]) == (1, 4)
    assert (model.name, baseline.name) == ("model (0.6248)", "mean_box (0.0000)")
    assert baseline.line.dash == "dash"


def test_the_svg_states_the_images_of_each_bin(make_data):
    svg = CHART.svg(make_data([0.0, 0.049, 0.05, 0.5, 0.97, 1.0]))
    assert re.findall(r"IoU (\S+) to (\S+): (\d+) images", svg) == [
        ("0.00", "0.05", "2"),
        ("0.05", "0.10", "1"),
        ("0.50", "0.55", "1"),
        ("0.95", "1.00", "2"),
    ]


def test_bars_are_proportional_to_their_counts(make_data):
    low, high = heights(CHART.svg(make_data([0.1] * 10 + [0.6] * 40)))
    assert math.isclose(high / low, 4.0, rel_tol=1e-3)


def test_a_few_images_next_to_thousands_are_visible_on_a_logarithmic_axis(make_data):
    data = make_data([0.93] + [1.0] * 5000, baselines={"mean_box": [0.2] * 5001})
    svg, figure = CHART.svg(data), CHART.plotly(data)
    assert "Images (logarithmic)" in svg
    one, most = heights(svg)
    assert one > 10
    assert 5 * one < most
    assert (figure.layout.yaxis.type, figure.layout.yaxis.title.text) == (
        "log",
        "Images (logarithmic)",
    )
    # An empty bin has no logarithm, so the line of the baseline is drawn at the lower end.
    baseline = figure.data[1]
    assert (baseline.y[0], baseline.customdata[0]) == (0.5, 0)
    assert 10 ** figure.layout.yaxis.range[0] == pytest.approx(0.5)


def test_baselines_differ_in_their_lines(make_data):
    data = make_data([0.5] * 4, baselines={"center_of_mass": [0.3] * 4, "mean_box": [0.1] * 4})
    assert [line.line.dash for line in CHART.plotly(data).data[1:]] == ["dash", "dot"]
    svg = CHART.svg(data)
    assert "<title>center_of_mass (0.3000)</title>" in svg
    assert set(re.findall(r"<path [^>]*class=\"baseline (baseline-\d)\"", svg)) == {
        "baseline-0",
        "baseline-1",
    }
