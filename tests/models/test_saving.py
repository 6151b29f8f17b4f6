import logging

import keras
import numpy as np
import pytest

from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.layers import ImageInput
from mnist_localization.models.provenance import Provenance
from mnist_localization.models.saving import loadable, prediction_model, provenance

SPEC = ModelSpec(100, 100, 1, 10, True, Provenance(train_fingerprint="abc"))
SETTINGS = {"dropout": 0.3, "regression_units": [64, 32], "rescale": False}


@pytest.fixture(scope="module")
def localizer():
    return build_network("report2020", SETTINGS, SPEC).localizer


def test_a_saved_model_predicts_the_same_and_carries_its_provenance(localizer, tmp_path):
    localizer.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    assert provenance(loaded) == Provenance(train_fingerprint="abc")
    images = np.random.default_rng(0).integers(0, 256, (3, 100, 100, 1), dtype=np.uint8)
    expected, found = localizer.predict(images, verbose=0), loaded.predict(images, verbose=0)
    np.testing.assert_allclose(found["bbox"], expected["bbox"], atol=1e-6)
    np.testing.assert_allclose(found["label"].sum(axis=1), 1.0, atol=1e-5)
    outputs = prediction_model(loaded).predict(images, verbose=0)
    assert set(outputs) == {"label", "bbox", "bbox_raw"}


def test_a_model_with_invalid_provenance_counts_as_one_of_unknown_origin(caplog):
    images = keras.Input((4, 4, 1))
    model = keras.Model(images, ImageInput(provenance={"seed": "many"})(images))
    with caplog.at_level(logging.WARNING):
        assert provenance(model) == Provenance()
    assert "seed" in caplog.text


def test_a_foreign_model_has_no_provenance_and_one_without_heads_is_an_error():
    foreign = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert provenance(foreign) == Provenance()
    with pytest.raises(ModelError, match="`label` and `bbox`"):
        prediction_model(foreign)


def test_a_model_that_would_run_its_own_code_is_not_loaded(tmp_path):
    unsafe = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)])
    unsafe.save(tmp_path / "unsafe.keras")
    with pytest.raises(ModelError, match=r"unsafe\.keras.*safe mode"), loadable("unsafe.keras"):
        keras.saving.load_model(tmp_path / "unsafe.keras")
