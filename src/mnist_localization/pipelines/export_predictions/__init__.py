"""Pipeline `export_predictions`: write predictions in the annotation formats of other tools."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from kedro.pipeline import Node, Pipeline

from mnist_localization.config.data import DatasetSettings
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.annotations.formats import load_format
from mnist_localization.registry import module_names


def create_pipeline() -> Pipeline:
    """Write the predictions in each registered annotation format, as `predictions_<format>`."""
    return Pipeline(
        [
            Node(
                func=_writer(name),
                inputs=["params:dataset", "class_names", "predictions"],
                outputs=f"predictions_{name}",
                name=f"write_predictions_{name}",
            )
            for name in module_names("data/annotations/formats")
        ],
        tags="export_predictions",
    )


def _writer(name: str) -> Callable[[DatasetSettings, ClassNames, pd.DataFrame], Any]:
    def write_predictions(
        dataset: DatasetSettings, class_names: ClassNames, predictions: pd.DataFrame
    ) -> Any:
        return load_format(name).write(predictions, class_names.root, dataset.image)

    return write_predictions
