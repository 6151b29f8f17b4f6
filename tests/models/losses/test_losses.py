import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import ModelSpec
from mnist_localization.models.losses import box_loss
from mnist_localization.models.losses.ciou import CIoULoss
from mnist_localization.models.losses.diou import DIoULoss
from mnist_localization.models.losses.giou import GIoULoss
from mnist_localization.models.losses.iou import IoULoss
from mnist_localization.models.losses.pixel import PixelBoxLoss
from mnist_localization.registry import module_names

SPEC = ModelSpec(100, 100, 1, 10, True)
NAMES = module_names("models/losses")
TRUE = np.array([[0.2, 0.3, 0.6, 0.7]], np.float32)
EDGES = {
    "identical": TRUE,
    "no overlap": [[0.7, 0.8, 0.9, 0.9]],
    "touching": [[0.6, 0.7, 0.9, 0.9]],
    "zero area": [[0.3, 0.3, 0.3, 0.3]],
    "inside": [[0.3, 0.4, 0.5, 0.6]],
    "in the wrong order": [[0.6, 0.7, 0.2, 0.3]],
    "outside the image": [[-1.0, -1.0, 3.0, 3.0]],
}


def value_and_gradient(loss, true, predicted):
    predicted = tf.Variable(np.array(predicted, np.float32))
    with tf.GradientTape() as tape:
        value = loss(np.array(true, np.float32), predicted)
    return float(value), tape.gradient(value, predicted).numpy()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("edge", EDGES)
def test_values_and_gradients_are_finite_at_the_edges(name, edge):
    value, gradient = value_and_gradient(box_loss(name, SPEC), TRUE, EDGES[edge])
    assert np.isfinite(value)
    assert value >= 0
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", NAMES)
def test_both_boxes_without_area_give_finite_values(name):
    point = [[0.5, 0.5, 0.5, 0.5]]
    value, gradient = value_and_gradient(box_loss(name, SPEC), point, point)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", NAMES)
def test_equal_boxes_cost_nothing(name):
    assert value_and_gradient(box_loss(name, SPEC), TRUE, TRUE)[0] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # Boxes of 0.4x0.4 and 0.2x0.4 that share 0.1x0.4; enclosing 0.5x0.4.
        (IoULoss(), 1 - 0.04 / 0.20),
        (GIoULoss(), 1 - 0.04 / 0.20 + 0.0),
        (DIoULoss(), 1 - 0.04 / 0.20 + 0.2**2 / (0.5**2 + 0.4**2)),
    ],
)
def test_the_iou_losses_follow_their_formulas(loss, expected):
    value, _ = value_and_gradient(loss, [[0.2, 0.2, 0.6, 0.6]], [[0.5, 0.2, 0.7, 0.6]])
    assert value == pytest.approx(expected, abs=1e-4)


def test_complete_iou_agrees_with_keras():
    random = np.random.default_rng(0)
    low = random.uniform(0, 50, (40, 2, 2))
    boxes = np.concatenate([low, low + random.uniform(5, 50, (40, 2, 2))], -1).astype("float32")
    theirs = keras.utils.bounding_boxes.compute_ciou(boxes[:, 0], boxes[:, 1], "xyxy")
    ours = CIoULoss(reduction=None)(boxes[:, 0], boxes[:, 1])
    np.testing.assert_allclose(ours, 1 - keras.ops.convert_to_numpy(theirs), atol=1e-4)


def test_giou_has_a_gradient_for_boxes_that_do_not_overlap():
    far = value_and_gradient(GIoULoss(), TRUE, [[0.8, 0.3, 0.9, 0.7]])
    near = value_and_gradient(GIoULoss(), TRUE, [[0.65, 0.3, 0.75, 0.7]])
    assert far[0] > near[0] > 1
    assert np.abs(far[1]).max() > 0


@given(st.floats(-0.004, 0.004), st.floats(-0.004, 0.004))
def test_errors_within_the_tolerance_cost_only_the_pull(x, y):
    moved = TRUE + np.array([x, y, x, y], np.float32)
    forgiving = float(PixelBoxLoss(100, 100, tolerance=0.5, pull=0.0)(TRUE, moved))
    strict = float(PixelBoxLoss(100, 100, tolerance=0.0, pull=0.0)(TRUE, moved))
    assert forgiving == pytest.approx(0, abs=1e-4)
    assert strict == pytest.approx(100 * (abs(x) + abs(y)), abs=1e-4)


def test_the_pixel_loss_measures_each_axis_in_pixels():
    loss = PixelBoxLoss(height=50, width=200, tolerance=0.5, pull=0.0)
    assert float(loss(TRUE, np.array([[0.21, 0.3, 0.61, 0.7]]))) == pytest.approx(
        2.0 - 0.5, abs=1e-4
    )
    assert float(loss(TRUE, np.array([[0.2, 0.34, 0.6, 0.74]]))) == pytest.approx(
        2.0 - 0.5, abs=1e-4
    )
    assert float(loss(TRUE, np.array([[0.19, 0.3, 0.61, 0.7]]))) == pytest.approx(
        4.0**2 / (1 + 4.0 / 4), abs=1e-4
    )


def square(side: float) -> list[float]:
    return [0.5 - side / 200, 0.5 - side / 200, 0.5 + side / 200, 0.5 + side / 200]


@pytest.mark.parametrize(("knee", "learns"), [(4.0, True), (1.0, False)])
def test_rare_sizes_outweigh_the_common_size_with_the_default_knee(knee, learns):
    loss = PixelBoxLoss(height=100, width=100, knee=knee)
    true = np.array([square(28.0)] * 9 + [square(20.0)], np.float32)

    def cost(side):
        return float(loss(true, np.array([square(side)] * 10, np.float32)))

    assert (cost(27.8) < cost(28.0)) == learns


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_survives_serialization(name):
    loss = box_loss(name, SPEC)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    predicted = np.array([[0.25, 0.3, 0.6, 0.75]], np.float32)
    assert float(again(TRUE, predicted)) == pytest.approx(float(loss(TRUE, predicted)))


def test_an_unknown_loss_is_an_error_that_lists_the_registered_ones():
    with pytest.raises(ModelError, match=r"'l7'.*ciou.*mse"):
        box_loss("l7", SPEC)


def test_each_loss_has_the_name_of_its_module():
    assert {"mse", "huber", "pixel", "iou", "giou", "diou", "ciou"} <= set(NAMES)
    assert {box_loss(name, SPEC).name for name in NAMES} == set(NAMES)
