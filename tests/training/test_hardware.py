import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.training.loop import fit_network, hardware, make_repeatable
from support.project import ROOT
from support.small_models import train_settings
from support.small_stores import SIDE, make_store

SCRIPT = """
import sys
from pathlib import Path
from mnist_localization import backend
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from training.test_hardware import trained
result = trained(Path(sys.argv[1]), {how})
print(result.history["val_loss"].tolist())
"""


def trained(folder, devices=None, **changes):
    report = {"dropout": 0.0, "regression_units": [8], "rescale": True}
    options = train_settings(epochs=2, architectures={"report2020": report}, **changes)
    make_repeatable(3, deterministic=options.deterministic)
    spec = ModelSpec(SIDE, SIDE, 1, 2, True)
    with hardware(options, devices):
        network = build_network("report2020", options.of_architecture, spec)
        train, validation = make_store(folder, 48, 0), make_store(folder, 16, 1, "validation")
        return fit_network(
            network, spec, train, validation, options, seed=3, checkpoint_folder=folder / "x"
        )


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("alone"))


def test_a_model_of_half_precision_trains_and_predicts_in_full_precision(tmp_path):
    result = trained(tmp_path, precision="mixed_bfloat16")
    assert np.isfinite(result.history["loss"]).all()
    assert result.localizer.get_layer("conv_1").compute_dtype == "bfloat16"
    outputs = result.localizer.predict_on_batch(np.zeros((2, SIDE, SIDE, 1), np.uint8))
    assert {output.dtype for output in outputs.values()} == {np.dtype("float32")}
    assert keras.config.dtype_policy().name == "float32"


def test_xla_and_deterministic_operations_are_mutually_exclusive():
    with pytest.raises(ValidationError, match=r"train\.deterministic=false"):
        train_settings(xla=True)


@pytest.mark.parametrize(
    "how",
    ["devices=['CPU:0', 'CPU:1'], multi_gpu=True", "xla=True, deterministic=False"],
    ids=["two devices", "xla"],
)
@pytest.mark.slow
def test_losses_are_similar_on_other_hardware(tmp_path, alone, how):
    # In another process, because devices and determinism are set once for a process.
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(how=how), str(tmp_path)],
        cwd=ROOT / "tests",
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    losses = json.loads(done.stdout.splitlines()[-1])
    assert losses == pytest.approx(alone.history["val_loss"].tolist(), rel=0.05)
