"""Annotations and metrics made up for the tests."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mnist_localization.data.images.store import ImageStore
from mnist_localization.evaluation.scores import Metrics

StoreMaker = Callable[..., ImageStore]


def annotations(labels: np.ndarray, boxes: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(boxes, columns=["xmin", "ymin", "xmax", "ymax"])
    table.insert(0, "label", labels)
    table.insert(0, "file", [f"{row}.png" for row in range(len(labels))])
    return table


def make_metrics(**changes: Any) -> Metrics:
    """Return metrics of 10 images of two classes, none of them predicted as the second class."""
    cell = {"images": 5, "mean_iou": 0.9, "label_accuracy": 0.8}
    empty = {"images": 0, "mean_iou": None, "label_accuracy": None}
    places = [(0, 0, cell), (0, 1, empty), (1, 0, empty), (1, 1, cell | {"mean_iou": 0.7})]
    names = ("precision", "recall", "mean_iou", "iou_at_50", "ap")
    document = {
        "scores": {"label_accuracy": 0.8, "mean_iou": 0.8},
        "images": 10,
        "intervals": {"label_accuracy": (0.5, 0.95)},
        "intervals_method": {"label_accuracy": "wilson"},
        "error_types": {"correct": 8, "class_wrong": 2, "box_poor": 0, "both": 0},
        "pixel_errors": {
            part: {"mean": 1.0, "p95": 2.0, "max": 3.0} for part in ("center", "edges")
        },
        "calibration": {
            "ece": 0.05,
            "bins": [
                {"low": 0.0, "high": 0.5, "images": 0, "confidence": None, "accuracy": None},
                {"low": 0.5, "high": 1.0, "images": 10, "confidence": 0.85, "accuracy": 0.8},
            ],
        },
        "per_class": [
            class_entry(0, "3", 8, **dict(zip(names, (0.8, 1.0, 0.9, 1.0, 0.7), strict=True))),
            class_entry(1, "7", 0),
        ],
        "by_position": [{"row": row, "column": column} | rest for row, column, rest in places],
        "confusion_matrix": [[8, 0], [2, 0]],
        "baselines": {},
        "dataset": {"source": "upstream", "split": "test", "images": 10, "fingerprint": "f" * 64},
        "training": {},
    }
    return Metrics.model_validate(document | changes)


def class_entry(label: int, name: str, images: int, **scores: float) -> dict[str, Any]:
    """Return an entry of `per_class`; scores that are not given are `None`."""
    names = ("precision", "recall", "mean_iou", "iou_at_50", "ap")
    return {"label": label, "name": name, "images": images} | dict.fromkeys(names) | scores
