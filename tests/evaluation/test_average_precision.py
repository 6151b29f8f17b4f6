import contextlib
import io

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.boxes import BOX_COLUMNS, PREDICTED_BOX_COLUMNS
from mnist_localization.evaluation.metrics import Outcomes
from mnist_localization.evaluation.metrics.average_precision import (
    IOU_THRESHOLDS,
    average_precisions,
)
from mnist_localization.evaluation.scores import score


def coco_stats(predictions: pd.DataFrame, classes: int) -> np.ndarray:
    """AP, AP50, AP75 computed by pycocotools."""
    size = 1000.0

    def xywh(row: np.ndarray) -> list[float]:
        xmin, ymin, xmax, ymax = row * size
        return [xmin, ymin, xmax - xmin, ymax - ymin]

    true = predictions[list(BOX_COLUMNS)].to_numpy()
    given = predictions[list(PREDICTED_BOX_COLUMNS)].to_numpy()
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": i + 1} for i in range(len(predictions))],
        "categories": [{"id": c} for c in range(classes)],
        "annotations": [
            {
                **{"id": i + 1, "image_id": i + 1, "category_id": int(label), "iscrowd": 0},
                **{"bbox": xywh(box), "area": float(np.prod(xywh(box)[2:]))},
            }
            for i, (label, box) in enumerate(zip(predictions["label"], true, strict=True))
        ],
    }
    found = [
        {"image_id": i + 1, "category_id": int(label), "bbox": xywh(box), "score": float(sure)}
        for i, (label, box, sure) in enumerate(
            zip(predictions["predicted_label"], given, predictions["confidence"], strict=True)
        )
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[:3]


def test_average_precision_equals_that_of_pycocotools(
    random_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    scores = score(Outcomes(random_predictions, image, 4))
    ours = [scores["ap"], scores["ap_50"], scores["ap_75"]]
    assert ours == pytest.approx(coco_stats(random_predictions, 4), abs=1e-6)
    assert 0.1 < scores["ap"] < scores["ap_50"] < 1


def test_average_precision_equals_that_of_pycocotools_when_classes_are_missing(
    random_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    # No image of class 3, though it is predicted; class 2 exists but is never predicted.
    table = random_predictions[random_predictions["label"] != 3].copy()
    table.loc[table["predicted_label"] == 2, "predicted_label"] = 1
    scores = score(Outcomes(table, image, 5))
    ours = [scores["ap"], scores["ap_50"], scores["ap_75"]]
    assert ours == pytest.approx(coco_stats(table, 5), abs=1e-6)


def test_a_class_without_images_has_no_average_precision(
    four_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    precisions = average_precisions(Outcomes(four_predictions.head(1), image, 3))
    assert precisions.shape == (3, len(IOU_THRESHOLDS))
    np.testing.assert_array_equal(precisions[0], 1.0)
    assert np.isnan(precisions[1:]).all()
