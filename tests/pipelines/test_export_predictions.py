import re

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.project import configure_project
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner

from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.boxes import BOX_COLUMNS
from mnist_localization.evaluation.predictions import prediction_table
from mnist_localization.pipeline_registry import register_pipelines
from mnist_localization.pipelines.export_predictions import create_pipeline
from mnist_localization.registry import module_names
from support.project import ROOT
from support.settings import section

OUTPUTS = {f"predictions_{name}" for name in module_names("data/annotations/formats")}


@pytest.fixture
def catalog(tmp_path) -> DataCatalog:
    """Datasets `predictions*` of conf/base in a temporary folder."""
    loader = OmegaConfigLoader(
        str(ROOT / "conf"),
        base_env="base",
        default_run_env="base",
        runtime_params={},
    )
    loader["globals"] = {**loader["globals"], "data": str(tmp_path)}
    return DataCatalog.from_config(
        {name: entry for name, entry in loader["catalog"].items() if name.startswith("predictions")}
    )


def test_each_registered_format_has_an_output():
    assert create_pipeline().outputs() == OUTPUTS


def test_the_catalog_pattern_matches_no_other_dataset(catalog):
    configure_project("mnist_localization")
    names = {name for pipeline in register_pipelines().values() for name in pipeline.datasets()}
    matched = {name for name in names if catalog._config_resolver.match_dataset_pattern(name)}
    assert matched == OUTPUTS


def test_predictions_of_another_run_are_replaced(catalog, tmp_path):
    boxes = np.array([[0.1, 0.2, 0.5, 0.9], [0.0, 0.0, 1.0, 1.0]])
    annotations = pd.DataFrame(boxes, columns=list(BOX_COLUMNS))
    for files in (["a.png", "b.png"], ["a.png", "c.png"]):
        table = annotations.assign(file=files, label=[3, 4])
        catalog["params:dataset"] = section("dataset")
        catalog["class_names"] = ClassNames(section("dataset").class_names)
        catalog["predictions"] = prediction_table(table, [3, 4], [0.9, 0.8], boxes, boxes)
        SequentialRunner().run(create_pipeline(), catalog)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    texts = {name for name in found if re.search(r"\.(txt|xml|csv|json)$", name)}
    folder = "07_model_output/predictions"
    assert texts == {
        f"{folder}_coco.json",
        f"{folder}_csv/predictions.csv",
        f"{folder}_createml/annotations.json",
        f"{folder}_gtsrb/gtsrb.csv",
        f"{folder}_label_studio/tasks.json",
        f"{folder}_open_images/open_images.csv",
        f"{folder}_via_csv/via.csv",
        f"{folder}_via_json/via.json",
        *(f"{folder}_yolo/{name}.txt" for name in ("a", "c")),
        *(f"{folder}_labelme/{name}.json" for name in ("a", "c")),
        *(f"{folder}_voc/{name}.xml" for name in ("a", "c")),
    }
