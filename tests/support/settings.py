"""Settings for tests: the sections of `conf/base` with changes."""

from functools import cache
from typing import Any

from kedro.config import OmegaConfigLoader

from mnist_localization.config import Settings, data, results, train
from support.project import ROOT

_MODELS: dict[str, type[Settings]] = {
    "dataset": data.DatasetSettings,
    "fetch": data.FetchSettings,
    "annotate": data.AnnotateSettings,
    "split": data.SplitSettings,
    "check": data.CheckSettings,
    "train": train.TrainSettings,
    "evaluate": results.EvaluateSettings,
    "compare": results.CompareSettings,
    "publish": results.PublishSettings,
    "predict": results.PredictSettings,
    "export": results.ExportSettings,
    "wandb": results.WandbSettings,
}


def section(name: str, **changes: Any) -> Any:
    """Return the validated section of `conf/base` with changes.

    Args:
        name: Name of the section, for example `dataset`.
        **changes: New values. A dict changes only the keys it has, as an environment does.

    Example:
        `section("dataset", image={"height": 20, "width": 20}, class_names=["a", "b"])`
    """
    return _MODELS[name].model_validate(_merged(_base_parameters()[name], changes))


def image_settings(
    height: int, width: int, channels: int = 1, **changes: Any
) -> data.ImageSettings:
    """Return `dataset.image` of `conf/base` with another shape and other changes."""
    shape = {"height": height, "width": width, "channels": channels}
    settings: data.ImageSettings = section("dataset", image=shape | changes).image
    return settings


@cache
def _base_parameters() -> dict[str, Any]:
    loader = OmegaConfigLoader(str(ROOT / "conf"), base_env="base", default_run_env="base")
    parameters: dict[str, Any] = loader["parameters"]
    return parameters


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if nested else value
    return merged
