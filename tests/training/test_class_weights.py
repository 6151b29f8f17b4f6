import numpy as np
import pytest

from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.provenance import Provenance
from mnist_localization.training.class_weights import label_weights
from mnist_localization.training.loop import (
    compile_network,
    fit_network,
    make_repeatable,
    training_batches,
)
from support.settings import section
from support.small_models import train_settings
from support.small_stores import SIDE, make_store

NAMES = ("small", "large", "none yet")


def test_balanced_weights_are_inverse_to_the_images_with_a_mean_of_one():
    labels = np.array([0] * 30 + [1] * 10)
    weights = label_weights("balanced", labels, NAMES)
    assert weights is not None
    assert weights[1] == pytest.approx(3 * weights[0])
    assert weights[labels].mean() == pytest.approx(1.0)
    assert np.isfinite(weights).all()


def test_weights_are_given_by_name_and_are_one_by_default():
    weights = label_weights({"large": 2.5}, np.array([0, 1]), NAMES)
    assert weights is not None
    assert weights.tolist() == [1.0, 2.5, 1.0]
    assert label_weights("none", np.array([0, 1]), NAMES) is None
    with pytest.raises(ModelError, match="names huge, but the classes are small, large"):
        label_weights({"huge": 2.0}, np.array([0]), NAMES)


@pytest.mark.parametrize("value", ["some", {"small": 0.0}, {"small": -1}, {"small": float("nan")}])
def test_wrong_weights_are_refused(value):
    with pytest.raises(ValueError, match="class_weights"):
        section("train", class_weights=value)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    return make_store(folder, 24, 0), make_store(folder, 8, 1, "validation")


@pytest.mark.parametrize("architecture", ["report2020", "glimpse"])
def test_weights_change_the_loss_of_the_label_alone(stores, architecture):
    settings = train_settings(architecture=architecture, augmentation={"share": 0}, batch_size=24)
    spec = ModelSpec(SIDE, SIDE, 1, 2, True)
    make_repeatable(1, deterministic=True)
    network = build_network(architecture, settings.of_architecture, spec)
    compile_network(network, spec, settings, settings.planned_phases[0], 24)
    losses = []
    for weights in (None, np.array([2.0, 2.0], np.float32)):
        batches = training_batches(network, stores[0], settings, 1, weights=weights)
        losses.append(network.trainable.evaluate(batches, steps=1, verbose=0, return_dict=True))
    plain, doubled = losses
    for name, value in plain.items():
        factor = 2.0 if name == "label_loss" else 1.0
        if name != "loss":
            assert doubled[name] == pytest.approx(factor * value, rel=1e-4), name


def test_a_training_with_weights_ends_with_metrics_of_the_validation_split(stores, tmp_path):
    settings = train_settings(class_weights="balanced", epochs=1)
    spec = ModelSpec(SIDE, SIDE, 1, 2, True, Provenance(class_names=("small", "large")))
    network = build_network("report2020", settings.of_architecture, spec)
    train, validation = stores
    result = fit_network(
        network, spec, train, validation, settings, seed=1, checkpoint_folder=tmp_path / "x"
    )
    assert np.isfinite(result.history["val_label_accuracy"]).all()
