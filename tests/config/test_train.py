import subprocess
import sys
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from pydantic import ValidationError

from mnist_localization.config.train import PRESETS, ResolvedTrainSettings, TrainSettings
from mnist_localization.models.architecture import resolve_settings
from mnist_localization.settings import CONFIG_LOADER_ARGS
from support.project import ROOT
from support.settings import section

NOTEBOOK = {
    "architecture": "report2020",
    "epochs": 100,
    "batch_size": 32,
    "learning_rate": 0.001,
    "weight_decay": 0.0,
    "schedule": "constant",
    "bbox_loss": "mse",
    "loss_weights": {"label": 1.0, "bbox": 1.0},
    "phases": [],
    "of_architecture": {"dropout": 0.3, "regression_units": [64, 32], "rescale": False},
    "early_stopping": {"monitor": "val_loss", "mode": "min", "patience": 10, "min_delta": 0.0},
}
OWN = {"architecture": "glimpse", "epochs": 11, "batch_size": 128, "bbox_loss": "pixel"}


def resolved(environment: str, images: int = 54_000, **runtime: Any) -> ResolvedTrainSettings:
    """Return the section `train` as `kedro run --env=<environment> --params=...` resolves it."""
    arguments: dict[str, Any] = dict(CONFIG_LOADER_ARGS)
    loader = OmegaConfigLoader(
        str(ROOT / "conf"), env=environment, runtime_params={"train": runtime}, **arguments
    )
    return resolve_settings(TrainSettings.model_validate(loader["parameters"]["train"]), images)


@pytest.mark.parametrize(
    "environment", ["base", "bench", "notebook", "own_images", "report2020", "test"]
)
def test_each_environment_has_complete_training_settings(environment: str) -> None:
    settings = resolved(environment)
    assert None not in settings.to_json().values()
    assert settings.planned_epochs == settings.epochs


def test_null_keys_take_the_defaults_of_the_architecture() -> None:
    base, notebook = resolved("base").to_json(), resolved("report2020").to_json()
    assert {key: base[key] for key in OWN} == OWN
    assert {key: notebook[key] for key in NOTEBOOK} == NOTEBOOK
    assert base["augmentation"] == PRESETS["digits"].model_dump()
    assert notebook["augmentation"] == PRESETS["none"].model_dump()


@pytest.mark.parametrize(
    ("images", "epochs", "batch_size"),
    [(100, 53, 16), (1600, 27, 32), (7200, 18, 64), (54_000, 11, 128), (10**7, 3, 128)],
)
def test_length_and_batch_size_follow_the_number_of_images(
    images: int, epochs: int, batch_size: int
) -> None:
    settings = resolved("base", images)
    assert (settings.epochs, settings.batch_size) == (epochs, batch_size)
    assert settings.learning_rate == pytest.approx(0.008 * batch_size / 128)
    # The notebook of 2020 is the same for all numbers.
    assert resolved("report2020", images).epochs == resolved("report2020").epochs


def test_the_learning_rate_follows_the_batch_size_unless_it_is_set() -> None:
    assert resolved("base", batch_size=32).learning_rate == pytest.approx(0.002)
    assert resolved("base", 1600, batch_size=64).learning_rate == pytest.approx(0.004)
    assert resolved("base", batch_size=512).learning_rate == pytest.approx(0.016)
    assert resolved("base", batch_size=32, learning_rate=0.5).learning_rate == 0.5
    assert resolved("base", 7200, epochs=3).planned_epochs == 3


def test_parameters_override_single_defaults_at_any_depth() -> None:
    settings = resolved("base", epochs=4, loss_weights={"bbox": 0.5}, augmentation={"share": 0})
    assert (settings.epochs, settings.batch_size) == (4, 128)
    assert settings.loss_weights.model_dump() == {"label": 1.0, "bbox": 0.5}
    assert (settings.augmentation.share, settings.augmentation.noise) == (0.0, 0.2)


def test_a_falsy_parameter_overrides_a_default() -> None:
    settings = resolved("base", weight_decay=0, augmentation={"combine": False, "clutter": 0})
    assert settings.weight_decay == 0.0
    assert (settings.augmentation.combine, settings.augmentation.clutter) == (False, 0)


def test_a_preset_replaces_all_defaults_and_single_parameters_override_it() -> None:
    settings = resolved("base", augmentation={"preset": "photos", "rotation": 30})
    assert settings.augmentation == PRESETS["photos"].model_copy(update={"rotation": 30.0})
    settings = resolved("base", architecture="report2020", augmentation={"noise": 0.1})
    assert settings.augmentation == PRESETS["none"].model_copy(update={"noise": 0.1})
    assert resolved("test").augmentation == PRESETS["digits"]


def test_another_architecture_brings_its_own_defaults() -> None:
    settings = resolved("base", architecture="report2020")
    assert (settings.epochs, settings.bbox_loss) == (100, "mse")
    assert settings.of_architecture["rescale"] is True


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"loss_weights": {"bbox": -1}}, r"loss_weights\.bbox"),
        ({"augmentation": {"contrast": 1}}, r"augmentation\.contrast"),
        ({"augmentation": {"shear": 61}}, r"augmentation\.shear"),
        ({"augmentation": {"preset": "photo"}}, "'digits', 'photos' or 'none'"),
        ({"epoch": 3}, "epoch"),
        ({"bbox_loss": "l7"}, "'l7'.*mse"),
        ({"architecture": "glimps"}, "'glimps'.*glimpse, report2020"),
        ({"architectures": {"glimps": {}}}, "'glimps'.*glimpse, report2020"),
    ],
)
def test_invalid_parameters_are_an_error_before_anything_runs(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=f"(?s){message}"):
        section("train", **changes)


def test_validation_does_not_import_keras() -> None:
    script = (
        "import sys\n"
        "from mnist_localization.config.train import TrainSettings\n"
        "from support.settings import section\n"
        "assert isinstance(section('train'), TrainSettings)\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT / "tests", check=True)
