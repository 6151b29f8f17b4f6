import numpy as np
import pandas as pd
import pytest

from mnist_localization.evaluation.baselines import (
    center_of_mass,
    centered_boxes,
    closed_form_obstacle,
    mean_box,
    predict_baselines,
)
from mnist_localization.evaluation.predictions import PREDICTION_COLUMNS
from support.scoring_tables import StoreMaker, annotations


def test_mean_box_predicts_mean_and_most_frequent_class_of_the_training_rows() -> None:
    corners = np.array([[0.0, 0.2, 0.4, 0.6], [0.2, 0.2, 0.6, 0.6]] * 2)
    labels = np.array([2, 1, 2, 0])
    table = mean_box(
        corners, labels, annotations(np.array([2, 3]), np.array([[0.1, 0.2, 0.5, 0.6]] * 2))
    )
    assert table["predicted_label"].tolist() == [2, 2]
    assert table["confidence"].tolist() == [0.5, 0.5]
    given = table[["pred_xmin", "pred_ymin", "pred_xmax", "pred_ymax"]].to_numpy()
    np.testing.assert_allclose(given, [[0.1, 0.2, 0.5, 0.6]] * 2)
    np.testing.assert_allclose(table["iou"], 1.0)


def test_center_of_mass_finds_every_box_on_a_dark_background(make_pasted: StoreMaker) -> None:
    training, split = make_pasted("train"), make_pasted("test", count=30, seed=1)
    table = center_of_mass(training, split, whole_pixel_boxes=True)
    # The middle of an even size lies half a pixel off the index of a pixel: rounding mends it.
    np.testing.assert_allclose(table["iou"], 1.0)
    raw = table[["raw_xmin", "raw_ymin"]].to_numpy() * [60, 40]
    given = table[["pred_xmin", "pred_ymin"]].to_numpy() * [60, 40]
    edge = (raw == 0).any(axis=1) & (given == 0).any(axis=1)
    np.testing.assert_allclose((given - raw)[~edge], 0.5)


def test_center_of_mass_is_not_rounded_if_boxes_lie_between_pixels(
    make_pasted: StoreMaker,
) -> None:
    training, split = make_pasted("train"), make_pasted("test", seed=1)
    table = center_of_mass(training, split, whole_pixel_boxes=False)
    np.testing.assert_array_equal(table["pred_xmin"], table["raw_xmin"])
    assert 0.8 < table["iou"].mean() < 0.95


def test_the_box_of_a_black_image_is_in_the_middle() -> None:
    black = np.zeros((1, 40, 60, 1), np.uint8)
    np.testing.assert_allclose(
        centered_boxes(black, [10, 12]) * [60, 40, 60, 40], [[25, 14, 35, 26]]
    )


def test_color_counts_by_its_intensity() -> None:
    image = np.zeros((1, 40, 60, 3), np.uint8)
    image[0, 20, 30, 2] = 200
    np.testing.assert_allclose(
        centered_boxes(image, [10, 12]) * [60, 40, 60, 40], [[25, 14, 35, 26]]
    )


@pytest.mark.parametrize(
    ("background", "grow", "reason"),
    [(40, 0, "background is not dark"), (0, 4, "differ in size, by up to 4.0 pixels")],
)
def test_the_closed_form_is_left_out_if_it_does_not_apply(
    make_pasted: StoreMaker,
    caplog: pytest.LogCaptureFixture,
    background: int,
    grow: int,
    reason: str,
) -> None:
    caplog.set_level("INFO")
    training = make_pasted("train", background=background, grow=grow)
    answers = predict_baselines(training, make_pasted("test"), whole_pixel_boxes=True)
    assert answers["baseline"].unique().tolist() == ["mean_box"]
    assert reason in caplog.text


def test_black_training_images_have_no_closed_form(make_store: StoreMaker) -> None:
    black = np.zeros((3, 40, 60), np.uint8)
    store = make_store("train", black, np.array([[0, 0, 10, 12]] * 3), np.arange(3))
    assert closed_form_obstacle(store) is not None


def test_baselines_are_one_table_with_the_columns_of_predictions(
    make_pasted: StoreMaker,
) -> None:
    split = make_pasted("test", count=7)
    answers = predict_baselines(make_pasted("train"), split, whole_pixel_boxes=True)
    assert tuple(answers.columns) == ("baseline", *PREDICTION_COLUMNS)
    for _, table in answers.groupby("baseline"):
        pd.testing.assert_series_equal(
            table["file"].reset_index(drop=True), split.annotations["file"]
        )
