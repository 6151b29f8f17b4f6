import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization import boxes
from mnist_localization.models.layers import OrderedBox
from mnist_localization.models.metrics import MeanBoxIoU, paired_iou

corner = st.floats(0, 1, width=32)
pairs = st.lists(st.tuples(*[corner] * 8), min_size=1, max_size=5)


@given(pairs)
def test_the_iou_of_the_metric_is_that_of_the_scores(rows):
    values = np.array(rows, np.float32).reshape(-1, 2, 4)
    values = np.concatenate(
        [
            np.minimum(values[..., :2], values[..., 2:]),
            np.maximum(values[..., :2], values[..., 2:]),
        ],
        -1,
    )
    a, b = values[:, 0], values[:, 1]
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(paired_iou(a, b)), boxes.paired_iou(a, b), atol=1e-4
    )


def test_the_metric_is_the_mean_over_all_images_seen():
    metric = MeanBoxIoU()
    box = np.array([[0.0, 0.0, 1.0, 1.0]], np.float32)
    half = np.array([[0.0, 0.0, 0.5, 1.0]], np.float32)
    metric.update_state(np.repeat(box, 3, axis=0), np.repeat(box, 3, axis=0))
    metric.update_state(box, half)
    assert float(metric.result()) == pytest.approx((3 + 0.5) / 4)
    assert MeanBoxIoU.from_config(metric.get_config()).name == "mean_iou"


@given(st.tuples(*[st.floats(-1, 2, width=32)] * 4))
def test_an_ordered_box_is_ordered_inside_the_image_and_on_the_grid(values):
    layer = OrderedBox(grid=(50, 100))
    xmin, ymin, xmax, ymax = keras.ops.convert_to_numpy(layer(np.array([values], np.float32)))[0]
    assert 0 <= xmin <= xmax <= 1
    assert 0 <= ymin <= ymax <= 1
    for value, size in ((xmin, 100), (ymin, 50), (xmax, 100), (ymax, 50)):
        assert value * size == pytest.approx(round(value * size), abs=1e-4)
    assert OrderedBox.from_config(layer.get_config()).grid == (50, 100)
