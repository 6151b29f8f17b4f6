import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mnist_localization.errors import ModelError
from mnist_localization.evaluation.predictions import PREDICTION_COLUMNS, predict_store
from support.scoring_tables import StoreMaker


class BrightestPixel:
    """Predicts a box at the brightest pixel; counts the shapes that it is called with."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, images: np.ndarray) -> dict[str, Any]:
        self.shapes.append(images.shape)
        flat = images.reshape(len(images), -1).argmax(axis=1)
        y, x = np.divmod(flat, images.shape[2])
        box = np.stack([x / 60, y / 40, (x + 10) / 60, (y + 12) / 40], axis=1)
        label = np.full((len(images), 4), 0.1, np.float32)
        label[np.arange(len(images)), x % 4] = 0.7
        return {"label": label, "bbox": box, "bbox_raw": box + 0.001}


def test_every_image_is_predicted_once_in_batches_of_one_shape(make_pasted: StoreMaker) -> None:
    store, predictor = make_pasted("test", count=10), BrightestPixel()
    table = predict_store(predictor, store, batch_size=4)
    assert predictor.shapes == [(4, 40, 60, 1)] * 3
    assert tuple(table.columns) == PREDICTION_COLUMNS
    assert table["file"].tolist() == store.annotations["file"].tolist()
    whole = predict_store(BrightestPixel(), store, batch_size=10)
    pd.testing.assert_frame_equal(table, whole)


def test_a_batch_is_no_larger_than_the_split(make_pasted: StoreMaker) -> None:
    predictor = BrightestPixel()
    predict_store(predictor, make_pasted("test", count=3), batch_size=512)
    assert predictor.shapes == [(3, 40, 60, 1)]


def test_label_confidence_and_iou_are_those_of_the_prediction(make_pasted: StoreMaker) -> None:
    store = make_pasted("test", count=6)
    table = predict_store(BrightestPixel(), store, batch_size=4)
    outputs = BrightestPixel()(store.read(np.arange(6)))
    assert table["predicted_label"].tolist() == outputs["label"].argmax(axis=1).tolist()
    np.testing.assert_allclose(table["confidence"], 0.7)
    np.testing.assert_allclose(table["pred_ymax"], np.minimum(outputs["bbox"][:, 3], 1))
    np.testing.assert_allclose(table["raw_xmin"], outputs["bbox_raw"][:, 0])
    overlap_x = 10 - abs(table["pred_xmin"] - table["xmin"]) * 60
    assert (table["iou"] <= overlap_x / 10 + 1e-9).all()


def test_predictions_join_back_to_the_annotations_by_file(make_pasted: StoreMaker) -> None:
    store = make_pasted("test", count=6)
    table = predict_store(BrightestPixel(), store, batch_size=4)
    worst = table.nsmallest(2, "iou").merge(store.annotations, on="file", suffixes=("", "_true"))
    assert len(worst) == 2
    assert (worst["xmin"] == worst["xmin_true"]).all()


def test_memory_does_not_grow_with_images_times_classes(make_pasted: StoreMaker) -> None:
    classes, count = 10_000, 64

    def predictor(images: np.ndarray) -> dict[str, Any]:
        label = np.full((len(images), classes), 1 / classes, np.float32)
        box = np.tile([0.1, 0.1, 0.2, 0.2], (len(images), 1))
        return {"label": label, "bbox": box, "bbox_raw": box}

    store = make_pasted("test", count=count)
    tracemalloc.start()
    try:
        predict_store(predictor, store, batch_size=4)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < count * classes * 4 / 2  # half of all probabilities in 32 bits


@pytest.mark.parametrize(
    ("output", "value", "message"),
    [
        ("bbox", np.nan, "'bbox' is not finite"),
        ("bbox_raw", np.inf, "'bbox_raw' is not finite"),
        ("label", np.nan, "'label' is not finite"),
        ("label", 3.0, "'label' contains values outside"),
    ],
)
def test_an_invalid_prediction_is_an_error_that_names_the_file(
    make_pasted: StoreMaker, output: str, value: float, message: str
) -> None:
    sound = BrightestPixel()

    def broken(images: np.ndarray) -> dict[str, Any]:
        outputs = sound(images)
        if len(sound.shapes) == 2:
            outputs[output][1, 0] = value
        return outputs

    with pytest.raises(ModelError, match=f"^5.png: the model's output {message}"):
        predict_store(broken, make_pasted("test", count=10), batch_size=4)


def test_boxes_outside_the_image_or_inverted_are_clipped(make_pasted: StoreMaker) -> None:
    def predictor(images: np.ndarray) -> dict[str, Any]:
        box = np.tile([0.9, -0.2, 0.3, 1.4], (len(images), 1))
        return {"label": np.eye(4)[:1].repeat(len(images), 0), "bbox": box, "bbox_raw": box}

    table = predict_store(predictor, make_pasted("test", count=2), batch_size=2)
    row = table.loc[0, ["pred_xmin", "pred_ymin", "pred_xmax", "pred_ymax"]].tolist()
    assert row == pytest.approx([0.6, 0.0, 0.6, 1.0])
    assert table["iou"].tolist() == [0.0, 0.0]


def test_optional_outputs_become_columns(make_pasted: StoreMaker) -> None:
    plain = BrightestPixel()

    def predictor(images: np.ndarray) -> dict[str, Any]:
        count = len(images)
        optional = {"bbox_confidence": np.full((count, 1), 0.8), "presence": np.full(count, 0.9)}
        return plain(images) | optional

    table = predict_store(predictor, make_pasted("test", count=6), batch_size=4)
    assert tuple(table.columns) == (*PREDICTION_COLUMNS, "bbox_confidence", "presence")
    assert table["bbox_confidence"].tolist() == [0.8] * 6
    assert table["presence"].tolist() == [0.9] * 6
