import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.data import boxes
from mnist_localization.models.metrics import MeanBoxIoU, paired_iou

corner = st.floats(0, 1, width=32)
pairs = st.lists(st.tuples(*[corner] * 8), min_size=1, max_size=5)


@given(pairs)
def test_the_iou_of_the_metric_equals_that_of_the_scores(rows):
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


def test_the_metric_is_the_mean_over_all_images():
    metric = MeanBoxIoU()
    box = np.array([[0.0, 0.0, 1.0, 1.0]], np.float32)
    half = np.array([[0.0, 0.0, 0.5, 1.0]], np.float32)
    metric.update_state(np.repeat(box, 3, axis=0), np.repeat(box, 3, axis=0))
    metric.update_state(box, half)
    assert float(metric.result()) == pytest.approx((3 + 0.5) / 4)
    assert MeanBoxIoU.from_config(metric.get_config()).name == "mean_iou"
