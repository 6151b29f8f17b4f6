import re

import numpy as np
import plotly.graph_objects as go

from mnist_localization.evaluation.breakdowns import SHOWN_CLASSES
from mnist_localization.reporting.charts.confusion_heatmap import CHART


def test_true_classes_are_the_rows_of_the_matrix(make_data):
    figure = CHART.plotly(make_data())
    (heatmap,) = figure.data
    assert [list(row) for row in heatmap.text] == [["8", "·"], ["2", "·"]]
    assert [list(row) for row in heatmap.z] == [[100, 0], [100, 0]]
    # Names that look like numbers must not become positions.
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "category"
    assert figure.layout.yaxis.autorange == "reversed"


def test_the_svg_states_true_and_predicted_class_of_each_cell(make_data, dataset):
    named = dataset.model_copy(update={"class_names": ("cat", "dog")})
    svg = CHART.svg(make_data(dataset=named, confusion_matrix=[[8, 2], [0, 5]], images=15))
    assert "True cat, predicted dog: 2 images, 20.00\u00a0% of the true class" in svg
    assert "The predicted class is correct for 13 of 15 test images." in svg
    assert svg.count('class="cell wrong') == 2


def test_the_most_frequent_confusions_of_many_classes_are_shown(many_classes):
    data = many_classes(1000)
    figure, svg = CHART.plotly(data), CHART.svg(data)
    assert len(figure.to_json()) < 30_000
    (bars,) = figure.data
    assert bars.y == ("class 7 → class 3", "class 4 → class 0", "class 5 → class 9")
    assert bars.text[0] == "9 (90.00\u00a0%)"
    assert re.findall(r"<title>(class \d → class \d: [^<]*)</title>", svg) == [
        "class 7 → class 3: 9 (90.00\u00a0%)",
        "class 4 → class 0: 4 (80.00\u00a0%)",
        "class 5 → class 9: 4 (80.00\u00a0%)",
    ]


def test_a_matrix_is_shown_up_to_a_number_of_classes(many_classes):
    data = many_classes(SHOWN_CLASSES)
    assert isinstance(CHART.plotly(data).data[0], go.Heatmap)
    assert CHART.svg(data).count('class="cell ') == SHOWN_CLASSES**2


def test_many_classes_without_a_confusion_have_a_note(make_data, dataset):
    many = dataset.model_copy(update={"class_names": tuple(map(str, range(30)))})
    data = make_data(dataset=many, confusion_matrix=np.eye(30, dtype=int).tolist())
    note = "No image was given a wrong class."
    assert CHART.plotly(data).layout.annotations[0].text == note
    assert note in CHART.svg(data)
