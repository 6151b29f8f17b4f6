"""The catalog in conf/base."""

import pkgutil
from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from pydantic import BaseModel

from mnist_localization.datasets import AtomicPlotlyDataset, TypedJSONDataset
from mnist_localization.registry import load_module, module_names

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture(scope="module")
def catalog():
    loader = OmegaConfigLoader(str(CONF), base_env="base", default_run_env="test")
    return DataCatalog.from_config(loader["catalog"])


@pytest.mark.parametrize("stage", module_names("pipelines"))
def test_every_dataset_of_a_pipeline_is_persistent(catalog, stage):
    pipeline = load_module("pipelines", stage).create_pipeline()
    names = {name for name in pipeline.datasets() if not name.startswith(("params:", "parameters"))}
    assert names
    for name in names:
        dataset = catalog.get(name)
        assert dataset is not None, name
        assert not isinstance(dataset, MemoryDataset), name


def test_a_new_chart_needs_no_entry(catalog):
    dataset = catalog.get("size_chart")
    assert isinstance(dataset, AtomicPlotlyDataset)
    assert str(dataset._filepath).endswith("08_reporting/size_chart.json")
    assert dataset.metadata == {"kedro-viz": {"layer": "reporting"}}


def test_every_typed_dataset_names_a_model_class(catalog):
    models = [name for name in catalog if isinstance(catalog.get(name), TypedJSONDataset)]
    assert "annotation_report" in models
    for name in models:
        assert issubclass(pkgutil.resolve_name(catalog.get(name)._model), BaseModel)
