import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.data import boxes
from mnist_localization.models.layers import ClipAndSnapBox, FusedBatchNormalization
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
    layer = ClipAndSnapBox(grid=(50, 100))
    xmin, ymin, xmax, ymax = keras.ops.convert_to_numpy(layer(np.array([values], np.float32)))[0]
    assert 0 <= xmin <= xmax <= 1
    assert 0 <= ymin <= ymax <= 1
    for value, size in ((xmin, 100), (ymin, 50), (xmax, 100), (ymax, 50)):
        assert value * size == pytest.approx(round(value * size), abs=1e-4)
    assert ClipAndSnapBox.from_config(layer.get_config()).grid == (50, 100)


def gradients(layer, images):
    """Output, gradients of its weighted sum, and moving statistics, after one training step."""
    weights = np.random.default_rng(5).normal(size=images.shape).astype(np.float32)
    with tf.GradientTape() as tape:
        inputs = tf.constant(images)
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
        loss = tf.reduce_sum(outputs * weights)
    values = tape.gradient(loss, [inputs, *(weight.value for weight in layer.trainable_weights)])
    return [outputs.numpy(), *(value.numpy() for value in values)], layer.moving_mean.numpy()


def test_fused_normalization_gives_what_that_of_keras_gives():
    images = np.random.default_rng(3).normal(2.0, 3.0, (16, 6, 5, 4)).astype(np.float32)
    fused, plain = (
        FusedBatchNormalization(momentum=0.5),
        keras.layers.BatchNormalization(momentum=0.5),
    )
    for layer in (fused, plain):
        layer.build(images.shape)
        layer.gamma.assign([0.5, 1.0, 1.5, 2.0])
        layer.beta.assign([-1.0, 0.0, 1.0, 2.0])
    (ours, our_mean), (theirs, their_mean) = gradients(fused, images), gradients(plain, images)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(our_mean, their_mean, rtol=1e-5)
    # The kernel gives the unbiased variance: larger by one part in the pixels of the batch.
    np.testing.assert_allclose(fused.moving_variance, plain.moving_variance, rtol=1 / 16 / 30)
    for layer in (fused, plain):
        layer.moving_variance.assign([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(fused(images), plain(images), atol=1e-5)


def test_frozen_normalization_keeps_its_statistics():
    images = np.random.default_rng(3).normal(2.0, 3.0, (4, 3, 3, 2)).astype(np.float32)
    layer = FusedBatchNormalization()
    layer.build(images.shape)
    layer.trainable = False
    np.testing.assert_allclose(layer(images, training=True), layer(images), atol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean, [0.0, 0.0])
