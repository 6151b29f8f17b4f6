import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from mnist_localization.config import DatasetSettings
from mnist_localization.evaluation import SHOWN_CLASSES, Metrics
from mnist_localization.reporting import (
    class_scores,
    confusion_heatmap,
    iou_histogram,
    learning_curves,
    position_heatmap,
    reliability_diagram,
)
from support.scoring_tables import class_entry, make_metrics
from support.settings import image_settings, section


@pytest.fixture
def dataset() -> DatasetSettings:
    return section(
        "dataset",
        image=image_settings(height=50, width=100, channels=1),
        class_names=("3", "7"),
        whole_pixel_boxes=True,
    )


@pytest.fixture
def metrics() -> Metrics:
    return make_metrics()


def assert_labelled(figure: go.Figure) -> None:
    assert figure.layout.title.text
    for axis in [*figure.select_yaxes()]:
        assert axis.title.text or len(figure.layout.annotations) > 0
    assert any(axis.title.text for axis in figure.select_xaxes())
    json.dumps(json.loads(figure.to_json()), allow_nan=False)


def test_the_histogram_shows_shares_of_the_images_beside_the_baselines() -> None:
    iou = np.array([1.0, 0.999, 0.5, 0.0])
    figure = iou_histogram(iou, {"mean_box": np.zeros(4)})
    model, baseline = figure.data
    assert sum(model.y) == pytest.approx(100)
    assert model.y[-1] == 50  # an IoU of exactly 1 belongs to the last bar
    assert (model.y[0], baseline.y[0]) == (25, 100)
    assert (model.name, baseline.name) == ("model (mean 0.625)", "mean_box (mean 0.000)")
    assert baseline.line.dash == "dash"
    assert_labelled(figure)


def test_the_confusion_matrix_has_true_classes_in_rows(
    metrics: Metrics, dataset: DatasetSettings
) -> None:
    figure = confusion_heatmap(metrics, dataset.class_names)
    (heatmap,) = figure.data
    assert [list(row) for row in heatmap.text] == [["8", ""], ["2", ""]]
    assert [list(row) for row in heatmap.z] == [[100, 0], [100, 0]]
    # Names that look like numbers must not become positions.
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "category"
    assert figure.layout.yaxis.autorange == "reversed"
    assert_labelled(figure)


def many_classes(count: int) -> Metrics:
    """The metrics with so many classes: class 7 is taken for class 3 most often."""
    matrix = np.eye(count, dtype=int)
    matrix[7, 3], matrix[5, 9], matrix[4, 0] = 9, 4, 4
    scores = {"recall": 1.0, "mean_iou": 0.9, "ap": 0.9}
    entries = [class_entry(label, f"class {label}", 10, **scores) for label in range(count)]
    entries[7] |= {"recall": 0.1}
    entries[9] |= {"mean_iou": 0.5}
    entries[11] = class_entry(11, "class 11", 0)
    return make_metrics(confusion_matrix=matrix.tolist(), per_class=entries)


def test_of_a_thousand_classes_the_worst_are_shown() -> None:
    told = many_classes(1000)
    names = [entry.name for entry in told.per_class]
    confusion, scores = confusion_heatmap(told, names), class_scores(told)
    for figure in (confusion, scores):
        assert len(figure.to_json()) < 30_000
        assert_labelled(figure)
    (bars,) = confusion.data
    assert bars.y == ("class 7 → class 3", "class 4 → class 0", "class 5 → class 9")
    assert bars.text[0] == "9 (90.0 %)"
    worst = scores.data[0].x
    assert len(worst) == SHOWN_CLASSES
    assert worst[:2] == ("class 7<br>n=10", "class 9<br>n=10")
    assert "class 11<br>n=0" not in worst
    assert "the 20 classes of 1,000" in scores.layout.title.subtitle.text


def test_classes_that_can_be_read_are_all_shown() -> None:
    told = many_classes(SHOWN_CLASSES)
    names = [entry.name for entry in told.per_class]
    assert isinstance(confusion_heatmap(told, names).data[0], go.Heatmap)
    scores = class_scores(told)
    assert len(scores.data[0].x) == SHOWN_CLASSES
    assert "lowest" not in scores.layout.title.subtitle.text


def test_many_classes_without_a_mistake_are_said_to_have_none() -> None:
    told = make_metrics(confusion_matrix=np.eye(30, dtype=int).tolist())
    figure = confusion_heatmap(told, [str(label) for label in range(30)])
    assert figure.layout.annotations[0].text == "No image was given a wrong class."


def test_bars_by_class_differ_by_pattern_and_start_at_zero(metrics: Metrics) -> None:
    figure = class_scores(metrics)
    assert len({bar.marker.pattern.shape for bar in figure.data}) == 3
    assert figure.layout.yaxis.range[0] == 0
    assert figure.data[0].y == (1.0, None)
    assert figure.data[0].text == ("1.000", "")
    assert_labelled(figure)


def test_the_map_by_position_is_in_pixels_with_y_downwards(
    metrics: Metrics, dataset: DatasetSettings
) -> None:
    figure = position_heatmap(metrics, dataset)
    (heatmap,) = figure.data
    assert (heatmap.x, heatmap.y) == ((25, 75), (12.5, 37.5))
    assert [list(row) for row in heatmap.z] == [[0.9, None], [None, 0.7]]
    assert heatmap.text[0][1] == "no image"
    assert figure.layout.yaxis.range == (50, 0)
    assert (heatmap.zmin, heatmap.zmax) == (0.7, 1)
    assert_labelled(figure)


def test_the_map_of_images_of_many_sizes_is_in_shares_of_the_image(
    metrics: Metrics, dataset: DatasetSettings
) -> None:
    image = dataset.image.model_copy(update={"letterbox": True})
    figure = position_heatmap(metrics, dataset.model_copy(update={"image": image}))
    assert (figure.data[0].x, figure.data[0].y) == ((25, 75), (25, 75))
    assert "%" in figure.layout.xaxis.title.text


def test_tiny_differences_between_positions_do_not_span_the_whole_scale(
    metrics: Metrics, dataset: DatasetSettings
) -> None:
    cells = tuple(
        cell.model_copy(update={"mean_iou": 0.999}) if cell.images else cell
        for cell in metrics.by_position
    )
    even = metrics.model_copy(update={"by_position": cells})
    assert position_heatmap(even, dataset).data[0].zmin == 0.95


def test_the_reliability_diagram_leaves_empty_bins_out_of_the_curve(
    metrics: Metrics,
) -> None:
    figure = reliability_diagram(metrics)
    diagonal, model, images = figure.data
    assert diagonal.line.dash == "dash"
    assert (model.x, model.y) == ((0.85,), (0.8,))
    assert images.y == (0, 10)
    assert "0.0500" in figure.layout.title.subtitle.text
    assert_labelled(figure)


def history(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"epoch": [1, 2], "seconds": [9.0, 9.0], **columns})


def test_learning_curves_have_one_panel_a_metric_validation_dashed() -> None:
    figure = learning_curves(
        history(
            loss=[1.0, 0.5],
            val_loss=[1.1, 0.6],
            bbox_mean_iou=[0.1, 0.2],
            val_bbox_mean_iou=[0.1, 0.3],
            learning_rate=[0.1, 0.1],
        )
    )
    panels = [annotation.text for annotation in figure.layout.annotations]
    assert panels == ["bbox mean iou", "loss", "learning rate"]
    training, validation = figure.data[:2]
    assert (training.y, validation.y) == ((0.1, 0.2), (0.1, 0.3))
    assert (training.line.dash, validation.line.dash) == ("solid", "dash")
    assert figure.layout.yaxis2.type == "log"
    assert figure.layout.yaxis.type is None
    assert sum(curve.showlegend for curve in figure.data) == 2
    assert_labelled(figure)


def test_a_loss_of_zero_is_not_put_on_a_logarithmic_axis() -> None:
    assert learning_curves(history(loss=[1.0, 0.0])).layout.yaxis.type is None
