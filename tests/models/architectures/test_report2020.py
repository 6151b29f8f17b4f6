import keras
import numpy as np
import pytest

from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.provenance import Provenance
from mnist_localization.models.saving import loadable, prediction_model, provenance

SPEC = ModelSpec(100, 100, 1, 10, True, Provenance(train_fingerprint="abc"))
SETTINGS = {"dropout": 0.3, "regression_units": [64, 32], "rescale": False}


@pytest.fixture(scope="module")
def localizer():
    return build_network("report2020", SETTINGS, SPEC).localizer


def test_it_is_the_model_of_the_report(localizer):
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


def test_raw_pixels_reach_the_first_convolution_unscaled_unless_asked(localizer):
    images = np.full((1, 100, 100, 1), 200, np.uint8)
    assert localizer.get_layer("input")(images).numpy().max() == 200.0
    scaled = build_network("report2020", {**SETTINGS, "rescale": True}, SPEC).localizer
    assert scaled.get_layer("input")(images).numpy().max() == pytest.approx(200 / 255)


def test_a_saved_model_gives_the_same_and_knows_its_data(localizer, tmp_path):
    localizer.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    assert provenance(loaded) == Provenance(train_fingerprint="abc")
    images = np.random.default_rng(0).integers(0, 256, (3, 100, 100, 1), dtype=np.uint8)
    expected, found = localizer.predict(images, verbose=0), loaded.predict(images, verbose=0)
    np.testing.assert_allclose(found["bbox"], expected["bbox"], atol=1e-6)
    np.testing.assert_allclose(found["label"].sum(axis=1), 1.0, atol=1e-5)
    outputs = prediction_model(loaded).predict(images, verbose=0)
    assert set(outputs) == {"label", "bbox", "bbox_raw"}


def test_a_foreign_model_has_no_provenance_and_one_without_heads_is_refused():
    foreign = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert provenance(foreign) == Provenance()
    with pytest.raises(ModelError, match="`label` and `bbox`"):
        prediction_model(foreign)


def test_a_model_that_needs_code_to_run_is_refused(tmp_path):
    unsafe = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)])
    unsafe.save(tmp_path / "unsafe.keras")
    with pytest.raises(ModelError, match=r"unsafe\.keras.*safe mode"), loadable("unsafe.keras"):
        keras.saving.load_model(tmp_path / "unsafe.keras")


def test_an_unknown_architecture_is_named_with_the_known_ones():
    with pytest.raises(ModelError, match=r"'resnet'.*report2020"):
        build_network("resnet", {}, SPEC)


def test_a_misspelt_setting_of_an_architecture_is_an_error():
    with pytest.raises(ModelError, match=r"train\.architectures\.report2020(.|\n)*drop_out"):
        build_network("report2020", {**SETTINGS, "drop_out": 0.1}, SPEC)
