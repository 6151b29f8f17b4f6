import keras
import numpy as np
import pytest

from mnist_localization.models.architecture import ModelSpec, build_network

SPEC = ModelSpec(100, 100, 1, 10, True)
SETTINGS = {"dropout": 0.3, "regression_units": [64, 32], "rescale": False}


@pytest.fixture(scope="module")
def localizer():
    return build_network("report2020", SETTINGS, SPEC).localizer


def test_layers_and_parameters_are_those_of_the_report(localizer):
    assert localizer.count_params() == 35_086
    shapes = [
        tuple(layer.output.shape[1:])
        for layer in localizer.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.MaxPooling2D)
    ]
    assert shapes == [(98, 98, 32), (32, 32, 32), (30, 30, 32), (10, 10, 32), (8, 8, 64)]
    bbox_head = [localizer.get_layer(name) for name in ("bbox_hidden_1", "bbox_hidden_2")]
    assert [layer.units for layer in bbox_head] == [64, 32]
    assert localizer.get_layer("bbox_raw").activation is keras.activations.sigmoid
    assert localizer.get_layer("label_dropout").rate == 0.3


def test_pixels_are_scaled_only_if_configured(localizer):
    images = np.full((1, 100, 100, 1), 200, np.uint8)
    assert localizer.get_layer("input")(images).numpy().max() == 200.0
    scaled = build_network("report2020", {**SETTINGS, "rescale": True}, SPEC).localizer
    assert scaled.get_layer("input")(images).numpy().max() == pytest.approx(200 / 255)
