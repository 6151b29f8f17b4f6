"""Nodes of the pipeline `formats`."""

from typing import Any

import pandas as pd

from mnist_localization.config import DatasetSettings
from mnist_localization.data.annotations import as_coco, as_voc, as_yolo


def predictions_as_coco(dataset: DatasetSettings, predictions: pd.DataFrame) -> dict[str, Any]:
    """The predicted boxes as one COCO JSON document."""
    return as_coco(predictions, dataset.class_names, dataset.image)


def predictions_as_yolo(predictions: pd.DataFrame) -> dict[str, str]:
    """The predicted boxes as one YOLO text for each image."""
    return as_yolo(predictions)


def predictions_as_voc(dataset: DatasetSettings, predictions: pd.DataFrame) -> dict[str, str]:
    """The predicted boxes as one Pascal VOC XML for each image."""
    return as_voc(predictions, dataset.class_names, dataset.image)
