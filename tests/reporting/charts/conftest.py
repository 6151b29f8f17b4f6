"""Data for the charts: scores of ten images of two classes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mnist_localization.config.data import DatasetSettings
from mnist_localization.reporting.charts import ChartData
from support.scoring_tables import class_entry, make_metrics
from support.settings import image_settings, section

MakeData = Callable[..., ChartData]


@pytest.fixture
def dataset() -> DatasetSettings:
    settings: DatasetSettings = section(
        "dataset",
        image=image_settings(height=50, width=100),
        class_names=("3", "7"),
        whole_pixel_boxes=True,
    )
    return settings


@pytest.fixture
def make_data(dataset: DatasetSettings) -> MakeData:
    def make(
        iou: list[float] | None = None,
        baselines: dict[str, list[float]] | None = None,
        dataset: DatasetSettings = dataset,
        **metrics: Any,
    ) -> ChartData:
        tables = [
            pd.DataFrame({"baseline": name, "iou": values})
            for name, values in (baselines or {}).items()
        ]
        return ChartData(
            make_metrics(**metrics),
            pd.DataFrame({"iou": [0.5] * 10 if iou is None else iou}),
            pd.concat(tables) if tables else pd.DataFrame(columns=["baseline", "iou"]),
            dataset,
        )

    return make


@pytest.fixture
def many_classes(make_data: MakeData, dataset: DatasetSettings) -> MakeData:
    """Make data of many classes, of which class 7 is predicted as class 3 most often."""

    def make(count: int) -> ChartData:
        matrix = np.eye(count, dtype=int)
        matrix[7, 3], matrix[5, 9], matrix[4, 0] = 9, 4, 4
        scores = {"precision": 1.0, "recall": 1.0, "mean_iou": 0.9, "iou_at_50": 1.0, "ap": 0.9}
        names = tuple(f"class {label}" for label in range(count))
        entries = [class_entry(label, name, 10, **scores) for label, name in enumerate(names)]
        entries[7] |= {"recall": 0.1}
        entries[9] |= {"mean_iou": 0.5}
        entries[11] = class_entry(11, "class 11", 0)
        many = dataset.model_copy(update={"class_names": names})
        return make_data(dataset=many, confusion_matrix=matrix.tolist(), per_class=entries)

    return make
