import logging

import keras
import numpy as np
import pytest

from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.provenance import Provenance
from mnist_localization.training.initial_weights import load_initial_weights
from support.small_models import train_settings
from support.small_stores import SIDE

NAMES = ("a", "b", "c")


def network(seed, names=NAMES, architecture="report2020", channels=1):
    keras.utils.set_random_seed(seed)
    settings = train_settings(architecture=architecture)
    spec = ModelSpec(SIDE, SIDE, channels, len(names), True, Provenance(class_names=names))
    return build_network(architecture, settings.of_architecture, spec)


def load(one, other, names=NAMES):
    load_initial_weights(one.trainable, other.localizer, names, "run x")


@pytest.mark.parametrize("architecture", ["report2020", "glimpse"])
def test_all_layers_of_an_equal_model_are_loaded(architecture, caplog):
    one, other = network(1, architecture=architecture), network(2, architecture=architecture)
    with caplog.at_level(logging.INFO):
        load(one, other)
    for mine, theirs in zip(
        one.localizer.get_weights(), other.localizer.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    assert "are from run x" in caplog.text
    assert "start from new weights" not in caplog.text


def test_the_label_is_loaded_by_class_name():
    one, other = network(1, ("c", "new", "a")), network(2)
    before = one.localizer.get_layer("label").get_weights()
    load(one, other, ("c", "new", "a"))
    theirs = other.localizer.get_layer("label").get_weights()
    for mine, old, found in zip(
        one.localizer.get_layer("label").get_weights(), before, theirs, strict=True
    ):
        np.testing.assert_array_equal(mine[..., 0], found[..., 2])
        np.testing.assert_array_equal(mine[..., 1], old[..., 1])
        np.testing.assert_array_equal(mine[..., 2], found[..., 0])


def test_a_label_of_other_classes_is_new(caplog):
    one, other = network(1, ("x", "y")), network(2)
    with caplog.at_level(logging.INFO):
        load(one, other, ("x", "y"))
    assert "start from new weights: label (of other classes)" in caplog.text


def test_layers_of_other_shapes_are_listed(caplog):
    one, other = network(1, channels=3), network(2)
    with caplog.at_level(logging.INFO):
        load(one, other)
    assert "conv_1 (has shapes [(3, 3, 3, 32), (32,)], the other [(3, 3, 1, 32), (32,)])" in (
        caplog.text
    )


def test_a_model_without_a_fitting_layer_is_an_error():
    with pytest.raises(ModelError, match="no layer of run x fits .* stem .not in the other"):
        load(network(1, architecture="glimpse"), network(2, ("x", "y")))
