import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.data.images.pipeline import random_keys
from mnist_localization.models.layers import (
    ClipAndSnapBox,
    FusedBatchNormalization,
    SnapToStatistics,
    keyed_uniform,
)


@given(st.tuples(*[st.floats(-1, 2, width=32)] * 4))
def test_a_snapped_box_is_ordered_inside_the_image_and_on_the_grid(values):
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


def test_fused_normalization_equals_that_of_keras():
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
    # The kernel computes the unbiased variance, which is larger by a factor of n / (n - 1).
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


def test_keyed_numbers_are_uniform_and_independent():
    keys = random_keys(1, 2, np.arange(20_000))
    numbers = keras.ops.convert_to_numpy(keyed_uniform(keys, 3, 0.5, stream=0))
    others = keras.ops.convert_to_numpy(keyed_uniform(keys, 3, 0.5, stream=1))
    assert numbers.shape == (20_000, 3)
    assert -0.5 <= numbers.min() < -0.499
    assert 0.499 < numbers.max() < 0.5
    counts, _ = np.histogram(numbers, bins=20, range=(-0.5, 0.5))
    assert np.abs(counts / 3000 - 1).max() < 0.08  # four standard deviations
    correlations = np.corrcoef(np.concatenate([numbers, others], axis=1).T)
    assert np.abs(correlations - np.eye(6)).max() < 0.03
    neighbors = np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]
    assert abs(neighbors) < 0.03


def test_keyed_numbers_depend_on_both_words_of_the_key():
    keys = np.array([[1, 2], [1, 3], [2, 2], [1, 2]], np.uint32)
    first, second, third, again = keras.ops.convert_to_numpy(keyed_uniform(keys, 4, 1.0, stream=0))
    np.testing.assert_array_equal(first, again)
    assert (first != second).all()
    assert (first != third).all()


def test_a_refined_box_is_replaced_by_statistics_only_if_they_are_close():
    layer = SnapToStatistics((0.2, 0.3), size_tolerance=0.1, center_tolerance=0.1)
    sizes = np.array([[0.21, 0.29], [0.21, 0.4], [0.2, 0.3], [0.2, 0.3]], np.float32)
    refined = np.concatenate([0.5 - sizes / 2, 0.5 + sizes / 2], axis=1)
    mass_center = np.array([[0.5, 0.5], [0.5, 0.5], [0.51, 0.52], [0.51, 0.6]], np.float32)
    corners = keras.ops.convert_to_numpy(layer([refined, mass_center]))
    found = corners[:, 2:] - corners[:, :2]
    np.testing.assert_allclose(found, [[0.2, 0.3], [0.21, 0.4], *[[0.2, 0.3]] * 2], atol=1e-6)
    centers = (corners[:, :2] + corners[:, 2:]) / 2
    np.testing.assert_allclose(centers[2:], [[0.51, 0.52], [0.5, 0.5]], atol=1e-6)
    alone = keras.ops.convert_to_numpy(SnapToStatistics()([refined]))
    np.testing.assert_allclose(alone, refined, atol=1e-6)
