from typing import Any

import keras
import numpy as np
import pytest

from mnist_localization.data.images.pipeline import random_keys
from mnist_localization.models.architecture import BoxStatistics, ModelSpec, build_network
from mnist_localization.models.architectures.glimpse import layers
from mnist_localization.models.architectures.glimpse.layers import (
    AttendedBox,
    AverageViews,
    CenterOfMass,
    DecodeBoxDeltas,
    EncodeBoxDeltas,
    ForegroundWeights,
    Glimpse,
    JitterBox,
    ProjectionProfiles,
    RandomShear,
    ShiftBox,
)
from mnist_localization.models.layers import SnapToStatistics
from mnist_localization.models.saving import layer_table, prediction_model
from mnist_localization.reporting.model_graph import architecture_diagram

SETTINGS: dict[str, Any] = {
    "stem_filters": 8,
    "stride": 4,
    "coarse_filters": 8,
    "glimpse_size": 32,
    "glimpse_margin": 1.3,
    "glimpse_jitter": 0.1,
    "glimpse_tilt": 0.1,
    "fine_filters": [8, 8, 8],
    "label_units": 16,
    "bbox_units": 8,
    "dropout": 0.3,
    "view_shift": 0.05,
    "size_tolerance": 0.1,
    "center_tolerance": 0.1,
    "guess_loss_weight": 0.1,
    "coarse_loss_weight": 0.2,
    "snap": True,
}


BOXES = np.tile(np.array([0.3, 0.3, 0.6, 0.6], np.float32), (200, 1))


def keyed(images):
    """Inputs of the trainable model."""
    return {"image": images, "random_key": np.zeros((len(images), 2), np.uint32)}


@pytest.mark.parametrize(
    ("height", "width", "channels", "classes"),
    [(100, 100, 1, 10), (64, 64, 3, 2), (120, 200, 3, 1000)],
)
def test_any_size_channels_and_classes_are_supported(height, width, channels, classes, tmp_path):
    box_statistics = BoxStatistics((0.25, 0.25), (0.0, 0.0))
    spec = ModelSpec(height, width, channels, classes, False, box_statistics=box_statistics)
    localizer = build_network("glimpse", SETTINGS, spec).localizer
    images = np.random.default_rng(0).integers(0, 256, (3, *spec.shape), dtype=np.uint8)
    outputs = localizer.predict(images, verbose=0)
    assert outputs["label"].shape == (3, classes)
    np.testing.assert_allclose(outputs["label"].sum(axis=1), 1.0, atol=1e-5)
    boxes = outputs["bbox"]
    assert (boxes >= 0).all()
    assert (boxes <= 1).all()
    assert (boxes[:, 2:] >= boxes[:, :2]).all()
    localizer.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_allclose(loaded.predict(images, verbose=0)["bbox"], boxes, atol=1e-6)


def test_the_model_snaps_boxes_if_configured_and_annotations_are_at_whole_pixels():
    images = np.random.default_rng(0).integers(0, 256, (4, 100, 100, 1), dtype=np.uint8)
    for whole, snap, snapped in ((True, True, True), (True, False, False), (False, True, False)):
        spec = ModelSpec(100, 100, 1, 10, whole)
        localizer = build_network("glimpse", {**SETTINGS, "snap": snap}, spec).localizer
        outputs = prediction_model(localizer).predict(images, verbose=0)
        pixels = outputs["bbox"] * 100
        assert np.allclose(pixels, pixels.round(), atol=1e-3) == snapped
        assert np.abs(outputs["bbox"] - np.clip(outputs["bbox_raw"], 0, 1)).max() < 0.0101


def test_a_glimpse_keeps_centers_of_mass():
    random = np.random.default_rng(1)
    images = np.zeros((5, 60, 80, 1), np.float32)
    boxes = np.zeros((5, 4), np.float32)
    expected, masses = [], []
    for image, box in zip(images, boxes, strict=True):
        x, y = random.integers(10, 40), random.integers(10, 25)
        patch = random.uniform(0, 1, (20, 24))
        image[y : y + 20, x : x + 24, 0] = patch
        moved = random.uniform(-2, 2, 2)
        box[:] = (x + moved[0]) / 80, (y + moved[1]) / 60, (x + 24 + moved[0]) / 80, 0
        box[3] = (y + 20 + moved[1]) / 60
        rows, columns = np.mgrid[y : y + 20, x : x + 24] + 0.5
        total = patch.sum()
        masses.append(total)
        expected.append(((columns * patch).sum() / total / 80, (rows * patch).sum() / total / 60))
    # Samples are further apart than pixels, so the weights of each pixel add up to one.
    glimpse, window = Glimpse(size=16, margin=1.5)([images, boxes])
    weights = keras.ops.convert_to_numpy(glimpse)
    found = keras.ops.convert_to_numpy(CenterOfMass((0.0, 0.0))([weights, window]))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # A sample is a mean, so the sum of the samples is that of the pixels over a sample's area.
    area = np.exp(window[:, 2:]).prod(axis=1) * 60 * 80 / 16**2
    np.testing.assert_allclose(weights.sum(axis=(1, 2, 3)) * area, masses, rtol=1e-4)


@pytest.mark.parametrize("background", [0.0, 0.3])
def test_samples_brighter_than_the_border_have_weight(background):
    glimpse = np.full((1, 8, 8, 2), background, np.float32)
    glimpse[0, 3, 4] += 0.5
    weights = keras.ops.convert_to_numpy(ForegroundWeights()(glimpse))
    expected = np.zeros((1, 8, 8, 1))
    expected[0, 3, 4] = 0.5
    np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_noise_of_the_border_is_subtracted_as_well():
    random = np.random.default_rng(0)
    glimpse = np.abs(random.normal(0.2, 0.05, (1, 28, 28, 1))).astype(np.float32)
    weights = keras.ops.convert_to_numpy(ForegroundWeights()(glimpse))
    assert 0.1 < (weights > 0).mean() < 0.25  # 16 % of a normal distribution is above one deviation


def test_the_center_of_mass_is_relative_to_the_window_and_moved_by_the_offset():
    weights = np.zeros((1, 4, 4, 1), np.float32)
    weights[0, 0, 3] = 2.0
    window = np.array([[0.5, 0.5, np.log(0.4), np.log(0.4)]], np.float32)
    center = keras.ops.convert_to_numpy(CenterOfMass((0.01, -0.02))([weights, window]))
    np.testing.assert_allclose(center, [[0.5 + 0.15 + 0.01, 0.5 - 0.15 - 0.02]], atol=1e-5)


def test_without_box_statistics_the_refined_box_is_final():
    spec = ModelSpec(64, 64, 1, 3, True)
    network = build_network("glimpse", {**SETTINGS, "snap": False}, spec)
    assert "foreground_weights" not in {layer.name for layer in network.localizer.layers}
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 1), dtype=np.uint8)
    outputs = network.trainable.predict(keyed(images), verbose=0)
    np.testing.assert_allclose(outputs["bbox"], outputs["bbox_guess"], atol=1e-6)


def test_decoded_deltas_move_and_scale_a_box():
    box = np.array([[0.4, 0.4, 0.6, 0.8]], np.float32)
    move, factor = np.array([[0.5, 0.0]], np.float32), np.log([[1.5, 0.5]]).astype(np.float32)
    corners = keras.ops.convert_to_numpy(DecodeBoxDeltas()([box, move, factor]))
    np.testing.assert_allclose(corners, [[0.45, 0.5, 0.75, 0.7]], atol=1e-6)


def test_layers_are_listed_after_their_inputs_and_can_be_drawn():
    localizer = build_network("glimpse", SETTINGS, ModelSpec(64, 64, 1, 3, True)).localizer
    table = layer_table(localizer)
    assert sorted(table["layer"]) == sorted(layer.name for layer in localizer.layers)
    seen = set()
    for name, inputs in zip(table["layer"], table["inputs"], strict=True):
        assert seen.issuperset(filter(None, inputs.split(", "))), name
        seen.add(name)
    drawn = architecture_diagram(table, "glimpse")
    assert {"views", "label_mean"} <= {text.get_text() for text in drawn.axes[0].texts}


def test_a_box_is_shifted_by_a_share_of_its_own_size():
    box = np.array([[0.4, 0.4, 0.6, 0.8]], np.float32)
    moved = keras.ops.convert_to_numpy(ShiftBox((0.5, -0.1))(box))
    np.testing.assert_allclose(moved, [[0.5, 0.36, 0.7, 0.76]], atol=1e-6)


def test_views_are_averaged_image_by_image():
    first = np.array([[0.0, 1.0], [0.6, 0.4]], np.float32)
    others = np.array([[0.5, 0.5], [0.0, 1.0], [0.1, 0.9], [0.9, 0.1]], np.float32)
    mean = keras.ops.convert_to_numpy(AverageViews()([first, others]))
    np.testing.assert_allclose(mean, [[0.2, 0.8], [0.5, 0.5]], atol=1e-6)


def test_the_saved_model_averages_the_label_over_shifted_windows():
    keras.utils.set_random_seed(2)
    spec = ModelSpec(64, 64, 1, 3, True)
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 1), dtype=np.uint8)
    network = build_network("glimpse", SETTINGS, spec)
    # New weights give nearly equal probabilities; larger ones make the views differ.
    for layer in ("label_hidden", "label"):
        kernel = network.trainable.get_layer(layer).kernel
        kernel.assign(kernel * 8.0)
    one = network.trainable.predict(keyed(images), verbose=0)["label"]
    mean = network.localizer.predict(images, verbose=0)["label"]
    assert np.abs(mean - one).max() > 1e-3
    alone = build_network("glimpse", {**SETTINGS, "view_shift": 0.0}, spec)
    alone.localizer.set_weights(network.localizer.get_weights())
    np.testing.assert_allclose(alone.localizer.predict(images, verbose=0)["label"], one, atol=1e-6)

    # The same with the layers of the model without averaging.
    coarse = alone.localizer.get_layer("bbox_coarse").output
    glimpse = alone.localizer.get_layer("glimpse").output[0]
    boxes = keras.Model(alone.localizer.input, coarse).predict(images, verbose=0)
    classify = keras.Model(glimpse, alone.localizer.output["label"])
    shift, labels = SETTINGS["view_shift"], [one]
    pixels = images.astype(np.float32) / 255
    for x in (-shift, shift):
        for y in (-shift, shift):
            moved = ShiftBox((x, y))(boxes)
            seen, _ = alone.localizer.get_layer("glimpse")([pixels, moved])
            labels.append(keras.ops.convert_to_numpy(classify(seen)))
    np.testing.assert_allclose(mean, np.mean(labels, axis=0), atol=1e-5)


def test_encoded_deltas_are_relative_to_the_window():
    box = np.array([[0.4, 0.4, 0.6, 0.8]], np.float32)
    window = np.array([[0.4, 0.5, np.log(0.4), np.log(0.5)]], np.float32)
    numbers = keras.ops.convert_to_numpy(EncodeBoxDeltas()([box, window]))
    expected = [*np.log([0.4, 0.5]), 0.1 / 0.4, 0.1 / 0.5, *np.log([0.5, 0.8])]
    np.testing.assert_allclose(numbers, [expected], atol=1e-6)


def test_the_window_of_a_glimpse_is_a_little_larger_than_the_box():
    images = np.ones((2, 50, 50, 1), np.float32)
    _, window = Glimpse(size=16, margin=1.2)([images, BOXES[:2]])
    expected = [[0.45, 0.45, *np.log([0.36, 0.36])]] * 2
    np.testing.assert_allclose(window, expected, atol=1e-6)


def test_a_box_jitters_in_training_only_and_as_its_key_determines():
    layer, keys = JitterBox(0.1), random_keys(1, 2, np.arange(200))
    np.testing.assert_array_equal(layer([BOXES, keys]), BOXES)
    moved = keras.ops.convert_to_numpy(layer([BOXES, keys], training=True))
    assert (moved != BOXES).all()
    center, size = (moved[:, :2] + moved[:, 2:]) / 2, moved[:, 2:] - moved[:, :2]
    assert 0.09 * 0.3 < np.abs(center - 0.45).max() <= 0.1 * 0.3 + 1e-6
    assert 0.09 * 0.3 < np.abs(size - 0.3).max() <= 0.1 * 0.3 + 1e-6
    some = layer([BOXES[:3], keys[[7, 0, 199]]], training=True)
    np.testing.assert_array_equal(some, moved[[7, 0, 199]])


def test_a_glimpse_is_sheared_about_its_center_in_training_only():
    images = np.zeros((200, 21, 21, 1), np.float32)
    images[:, :, 10] = 1.0  # an upright line through the center
    layer, keys = RandomShear(0.3), random_keys(1, 2, np.arange(200))
    np.testing.assert_array_equal(layer([images, keys]), images)
    tilted = keras.ops.convert_to_numpy(layer([images, keys], training=True))
    some = layer([images[:2], keys[[9, 4]]], training=True)
    np.testing.assert_allclose(some, tilted[[9, 4]], atol=1e-6)
    assert (tilted != images).any(axis=(1, 2, 3)).all()
    # The center stays, and the ends of the line move by up to 0.3 of ten samples.
    ends = (tilted[:, 0, :, 0] * np.arange(21)).sum(axis=1) / tilted[:, 0, :, 0].sum(axis=1) - 10
    np.testing.assert_allclose(tilted[:, 10, 10, 0], 1.0, atol=1e-5)
    assert ends.min() < -2.0
    assert ends.max() > 2.0
    assert np.abs(ends).max() <= 3.0 + 0.5
    opposite = tilted[:, -1, :, 0] @ np.arange(21) / tilted[:, -1, :, 0].sum(axis=1) - 10
    np.testing.assert_allclose(opposite, -ends, atol=0.05)


def test_the_shear_equals_an_affine_transform(monkeypatch):
    images = np.random.default_rng(0).random((6, 9, 11, 3)).astype(np.float32)
    drawn = np.random.default_rng(1).uniform(-0.2, 0.2, (6, 2)).astype(np.float32)
    monkeypatch.setattr(layers, "keyed_uniform", lambda *_, **__: drawn)
    tilted = RandomShear(0.2)([images, np.zeros((6, 2), np.uint32)], training=True)
    across, down = drawn[:, :1], drawn[:, 1:]
    one, zero = np.ones_like(across), np.zeros_like(across)
    rows = [one, across, -across * 4, down, one, -down * 5, zero, zero]
    expected = keras.ops.image.affine_transform(
        images, np.concatenate(rows, axis=1), fill_mode="nearest"
    )
    np.testing.assert_allclose(tilted, expected, atol=1e-5)


def test_profiles_are_the_means_and_maxima_of_columns_and_rows():
    glimpse = np.random.default_rng(0).random((2, 3, 5, 2)).astype(np.float32)
    profiles = keras.ops.convert_to_numpy(ProjectionProfiles()(glimpse))
    parts = [glimpse.mean(axis=1), glimpse.max(axis=1), glimpse.mean(axis=2), glimpse.max(axis=2)]
    expected = np.concatenate([part.reshape(2, -1) for part in parts], axis=1)
    np.testing.assert_allclose(profiles, expected, atol=1e-6)


def test_a_shear_of_zero_keeps_every_glimpse():
    images = np.random.default_rng(0).random((20, 9, 9, 3)).astype(np.float32)
    keys = random_keys(1, 2, np.arange(20))
    np.testing.assert_array_equal(RandomShear(0.0)([images, keys], training=True), images)


def test_attention_averages_the_proposals_of_the_cells():
    proposals = np.zeros((1, 2, 4, 5), np.float32)
    proposals[0, 1, 3, 0] = 50.0  # all attention to the last cell
    box = keras.ops.convert_to_numpy(AttendedBox()(proposals))[0]
    np.testing.assert_allclose((box[:2] + box[2:]) / 2, [3.5 / 4, 1.5 / 2], atol=1e-5)
    np.testing.assert_allclose(box[2:] - box[:2], [0.25, 0.25], atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        AttendedBox(),
        Glimpse(size=8, margin=1.5),
        JitterBox(0.2),
        SnapToStatistics((0.2, 0.3), 0.1),
        CenterOfMass((0.1, 0.2)),
        ShiftBox((0.1, -0.2)),
        ProjectionProfiles(),
        RandomShear(0.2),
    ],
)
def test_a_layer_survives_serialization(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
