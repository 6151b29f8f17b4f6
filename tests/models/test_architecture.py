import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import (
    ModelSpec,
    build_network,
    load_architecture,
    resolve_settings,
)
from mnist_localization.models.losses import box_loss
from mnist_localization.registry import module_names
from mnist_localization.training.loop import compile_network
from support.project import ROOT
from support.settings import section
from support.small_models import train_settings
from support.small_stores import SIDE

TRAIN_TINY = """
import sys
from pathlib import Path
import numpy as np
from mnist_localization.evaluation.predictions import predict_store
from mnist_localization.models.architecture import ModelSpec, build_network, resolve_settings
from mnist_localization.models.saving import prediction_model
from mnist_localization.training.loop import fit_network, make_repeatable
from support.settings import section
from support.small_stores import SIDE, make_store

folder = Path(sys.argv[1])
settings = resolve_settings(section("train", architecture="tiny", epochs=2), 8)
assert settings.of_architecture == {"units": 8}
assert (settings.epochs, settings.batch_size, settings.bbox_loss) == (2, 16, "giou")
train, validation = make_store(folder, 48, 0), make_store(folder, 16, 1, "validation")
make_repeatable(1, deterministic=True)
spec = ModelSpec(SIDE, SIDE, 1, 2, False)
network = build_network("tiny", settings.of_architecture, spec)
result = fit_network(
    network, spec, train, validation, settings, seed=1, checkpoint_folder=folder / "checkpoint"
)
assert result.history["presence_loss"].iloc[-1] < result.history["presence_loss"].iloc[0]
assert {"bbox_confidence_loss", "val_presence_loss"} <= set(result.history)
result.localizer.save(folder / "tiny.keras")
predictor = prediction_model(result.localizer).predict_on_batch
predict_store(predictor, validation, 8).to_parquet(folder / "predictions.parquet")
"""
LOAD_TINY = """
import sys
from pathlib import Path
import pandas as pd
from mnist_localization.evaluation.predictions import predict_store
from mnist_localization.data.images.store import ImageStore
from mnist_localization.models.saving import load_localizer, prediction_model

folder = Path(sys.argv[1])
predictor = prediction_model(load_localizer(folder / "tiny.keras")).predict_on_batch
table = predict_store(predictor, ImageStore(folder / "validation_split"), 8)
pd.testing.assert_frame_equal(table, pd.read_parquet(folder / "predictions.parquet"))
assert table[["presence", "bbox_confidence"]].stack().between(0, 1).all()
"""


def test_an_architecture_is_one_file_that_can_be_configured_trained_and_loaded(tmp_path):
    package = tmp_path / "src" / "mnist_localization"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "mnist_localization", package, ignore=ignored)
    tiny = package / "models" / "architectures" / "tiny.py"
    shutil.copy(ROOT / "tests/support/extensions/models/architectures/tiny.py", tiny)
    paths = os.pathsep.join([str(package.parent), str(ROOT / "tests")])
    # In two processes, so that the second one finds the layers of the file on its own.
    for script in (TRAIN_TINY, LOAD_TINY):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", module_names("models/architectures"))
def test_each_registered_architecture_fulfills_the_contract(name):
    settings = resolve_settings(section("train", architecture=name), 100)
    spec = ModelSpec(40, 60, 3, 4, True)
    network = build_network(name, settings.of_architecture, spec)
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3), np.uint8)
    outputs = network.localizer.predict(images, verbose=0)
    assert {"label", "bbox"} <= set(outputs)
    assert set(outputs) <= {"label", "bbox", "bbox_confidence", "presence"}
    assert (outputs["label"].shape, outputs["bbox"].shape) == ((2, 4), (2, 4))
    assert network.localizer.get_layer("bbox_raw").output.shape == (None, 4)
    assert len(network.localizer.inputs) == 1
    trained = set(network.trainable.output)
    assert trained == {"label", "bbox", *network.auxiliary_boxes, *network.extra_outputs}
    box_loss(settings.bbox_loss, spec)


@pytest.mark.parametrize("name", module_names("models/architectures"))
def test_saved_models_have_no_weights_that_are_not_trained(name):
    settings = resolve_settings(section("train", architecture=name), 100)
    network = build_network(name, settings.of_architecture, ModelSpec(40, 40, 1, 2, True))
    trained = {id(weight) for weight in network.trainable.weights}
    assert {id(weight) for weight in network.localizer.weights} <= trained


def test_weight_decay_excludes_the_weights_that_the_architecture_names():
    settings = train_settings(architecture="glimpse", weight_decay=0.5, learning_rate=0.1)
    spec = ModelSpec(SIDE, SIDE, 1, 2, True)
    network = build_network("glimpse", settings.of_architecture, spec)
    network = type(network)(
        network.trainable, network.localizer, network.auxiliary_boxes, {}, ("bias", "fine_2/kernel")
    )
    compile_network(network, spec, settings, settings.planned_phases[0], train_images=32)
    optimizer, weights = network.trainable.optimizer, network.trainable.trainable_variables
    before = {weight.path: weight.numpy() for weight in weights}
    optimizer.apply([keras.ops.zeros_like(weight) for weight in weights], weights)
    kept = {weight.path for weight in weights if np.array_equal(weight, before[weight.path])}
    assert {path for path in before if "kernel" in path} - kept
    assert "fine_2/kernel" in kept
    assert {path for path in before if path.endswith("bias")} <= kept


def test_the_undecayed_weights_of_glimpse_are_its_norms_biases_and_deviations():
    network = build_network(
        "glimpse",
        train_settings(architecture="glimpse").of_architecture,
        ModelSpec(SIDE, SIDE, 1, 2, True),
    )
    assert set(network.undecayed_weights) == {"bias", "gamma", "beta", "deviations"}


@pytest.mark.parametrize("name", module_names("models/architectures"))
def test_training_defaults_are_complete_and_valid(name):
    defaults = load_architecture(name).training_defaults
    assert type(defaults).model_validate(defaults.model_dump()) == defaults


def test_an_unknown_architecture_is_an_error_that_lists_the_registered_ones():
    with pytest.raises(ModelError, match=r"'resnet'.*report2020"):
        build_network("resnet", {}, ModelSpec(40, 40, 1, 2, True))


def test_a_misspelled_setting_of_an_architecture_is_an_error():
    with pytest.raises(ModelError, match=r"train\.architectures\.report2020(.|\n)*drop_out"):
        train_settings(architectures={"report2020": {"drop_out": 0.1}})
