import math
import re

import pandas as pd
import pytest

from mnist_localization.reporting.learning_curves import learning_curve_drawings, learning_curves


def history(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"epoch": [1, 2], "seconds": [9.0, 9.0], **columns})


def test_there_is_one_panel_per_metric_with_validation_dashed() -> None:
    figure = learning_curves(
        history(
            loss=[1.0, 0.01],
            val_loss=[1.1, 0.6],
            bbox_mean_iou=[0.1, 0.2],
            val_bbox_mean_iou=[0.1, 0.3],
            learning_rate=[0.1, 0.1],
        )
    )
    panels = [annotation.text for annotation in figure.layout.annotations]
    assert panels == ["Box mean IoU", "Loss (logarithmic)", "Learning rate"]
    training, validation = figure.data[:2]
    assert (training.y, validation.y) == ((0.1, 0.2), (0.1, 0.3))
    assert (training.line.dash, validation.line.dash) == ("solid", "dash")
    assert figure.layout.yaxis2.type == "log"
    assert figure.layout.yaxis.type is None
    assert sum(curve.showlegend for curve in figure.data) == 2
    assert figure.layout.title.text == "Learning curves"
    assert all(axis.title.text == "Epoch" for axis in list(figure.select_xaxes())[:3])


def test_the_svg_has_a_point_per_epoch_with_a_finite_value() -> None:
    table = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "loss": [3.0, 2.0, 1.0],
            "val_loss": [3.0, math.nan, 2.0],
            "seconds": 1.0,
            "note": "x",
        }
    )
    (curve,) = learning_curve_drawings(table)
    assert re.findall(r'class="curve (\w+)"', curve) == ["training", "validation"]
    assert re.findall(r"training, epoch (\d): (\d)", curve) == [("1", "3"), ("2", "2"), ("3", "1")]
    assert re.findall(r"validation, epoch (\d): (\d)", curve) == [("1", "3"), ("3", "2")]
    assert "training: 3 in the first epoch, 1 in the last" in curve


@pytest.mark.parametrize(("last", "logarithmic"), [(0.5, False), (0.001, True), (0.0, False)])
def test_a_loss_that_falls_far_is_on_a_logarithmic_axis(last: float, logarithmic: bool) -> None:
    table = history(loss=[1.0, last])
    assert ("logarithmic" in learning_curve_drawings(table)[0]) is logarithmic
    assert (learning_curves(table).layout.yaxis.type == "log") is logarithmic


def test_a_single_epoch_and_a_flat_curve_are_drawn() -> None:
    table = pd.DataFrame({"epoch": [1], "loss": [0.0], "bbox_loss": [0.25]})
    assert len(learning_curve_drawings(table)) == 2
    assert len(learning_curves(table).data) == 2
