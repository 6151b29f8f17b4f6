import re

from mnist_localization.evaluation.breakdowns import SHOWN_CLASSES
from mnist_localization.reporting.charts.class_scores import CHART


def test_bars_differ_by_pattern_and_start_at_zero(make_data):
    figure = CHART.plotly(make_data())
    assert len({bar.marker.pattern.shape for bar in figure.data}) == 3
    assert figure.layout.yaxis.range[0] == 0
    assert figure.data[0].y == (1.0, None)
    assert figure.data[0].text == ("1.000", "")


def test_the_svg_has_a_bar_for_each_score_that_exists(make_data):
    svg = CHART.svg(make_data())
    assert re.findall(r"<title>3 \(n=8\): (\S+)</title>", svg) == ["1.000", "0.900", "0.700"]
    assert "<title>7 (n=0)" not in svg
    assert set(re.findall(r'<g class="(series-\d)">', svg)) == {"series-0", "series-1", "series-2"}


def test_the_worst_of_many_classes_are_shown(many_classes):
    data = many_classes(1000)
    figure, svg = CHART.plotly(data), CHART.svg(data)
    assert len(figure.to_json()) < 30_000
    worst = figure.data[0].x
    assert len(worst) == SHOWN_CLASSES
    assert worst[:2] == ("class 7<br>n=10", "class 9<br>n=10")
    assert "class 11<br>n=0" not in worst
    assert "the 20 of 1\u202f000 classes with the lowest recall" in svg
    assert svg.count("<title>class ") == 3 * SHOWN_CLASSES
    assert "<title>class 7 (n=10): 0.100</title>" in svg


def test_all_of_a_few_classes_are_shown(many_classes):
    figure = CHART.plotly(many_classes(SHOWN_CLASSES))
    assert len(figure.data[0].x) == SHOWN_CLASSES
    assert "lowest" not in figure.layout.title.subtitle.text
