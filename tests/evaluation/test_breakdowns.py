import numpy as np
import pandas as pd
import pytest

from mnist_localization.config.data import ImageSettings
from mnist_localization.evaluation.breakdowns import (
    Confusion,
    by_position,
    calibration,
    confusion_matrix,
    error_types,
    most_confused,
    per_class,
    pixel_errors,
)
from mnist_localization.evaluation.metrics import Outcomes

NAMES = ("ant", "bee", "cat", "dog")


def test_error_types_count_each_of_the_four_kinds(
    four_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    assert error_types(Outcomes(four_predictions, image, 4)) == {
        "correct": 1,
        "class_wrong": 1,
        "box_poor": 1,
        "both": 1,
    }


def test_error_types_partition_the_images(
    random_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    kinds = error_types(Outcomes(random_predictions, image, 4))
    assert sum(kinds.values()) == len(random_predictions)
    wrong = (random_predictions["label"] != random_predictions["predicted_label"]).sum()
    assert kinds["class_wrong"] + kinds["both"] == wrong


def test_the_most_confused_pairs_come_first_and_the_diagonal_is_excluded() -> None:
    assert most_confused([[8, 2, 0], [7, 1, 2], [0, 0, 5]]) == [
        Confusion(true=1, predicted=0, images=7, share=0.7),
        Confusion(true=0, predicted=1, images=2, share=0.2),
        Confusion(true=1, predicted=2, images=2, share=0.2),
    ]
    assert most_confused([[8, 0], [0, 1]]) == []


def test_of_many_confusions_the_most_frequent_are_listed() -> None:
    matrix = np.random.default_rng(2).integers(0, 1000, (40, 40))
    off_diagonal = np.sort(matrix[~np.eye(40, dtype=bool)])[::-1]
    pairs = most_confused(matrix.tolist())
    assert [pair.images for pair in pairs] == off_diagonal[:20].tolist()
    assert all(matrix[pair.true, pair.predicted] == pair.images for pair in pairs)


def test_pixel_errors_are_scaled_by_the_size_of_each_axis(
    four_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    off = four_predictions.head(2).copy()
    off.loc[0, ["pred_xmin", "pred_ymin", "pred_xmax", "pred_ymax"]] = [0.23, 0.28, 0.43, 0.68]
    errors = pixel_errors(
        Outcomes(off, image, 4)
    )  # 3 pixels to the right, 4 down, on one of two images
    assert errors["center"].max == pytest.approx(5.0)
    assert errors["center"].mean == pytest.approx(2.5)
    assert errors["edges"].max == pytest.approx(4.0)
    assert errors["edges"].mean == pytest.approx((3 + 4 + 3 + 4) / 8)
    assert errors["edges"].p95 == pytest.approx(np.quantile([0] * 4 + [3, 4, 3, 4], 0.95))


def test_confusion_matrix_equals_plain_counting(
    random_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    pairs = list(
        zip(random_predictions["label"], random_predictions["predicted_label"], strict=True)
    )
    expected = tuple(tuple(pairs.count((row, column)) for column in range(4)) for row in range(4))
    assert confusion_matrix(Outcomes(random_predictions, image, 4)) == expected


def test_precision_and_recall_equal_plain_counting(
    random_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    true, predicted = random_predictions["label"], random_predictions["predicted_label"]
    entries = per_class(Outcomes(random_predictions, image, 4), NAMES)
    assert [entry.name for entry in entries] == list(NAMES)
    for entry in entries:
        hits = ((true == entry.label) & (predicted == entry.label)).sum()
        assert entry.images == (true == entry.label).sum()
        assert entry.precision == pytest.approx(hits / (predicted == entry.label).sum())
        assert entry.recall == pytest.approx(hits / entry.images)
    by_pandas = random_predictions.groupby("label")["iou"].mean()
    assert [entry.mean_iou for entry in entries] == pytest.approx(by_pandas.tolist())


def test_scores_of_a_class_are_none_if_it_was_never_predicted_or_has_no_images(
    four_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    bee = per_class(Outcomes(four_predictions, image, 4), NAMES)[1]
    assert bee.precision is None  # never predicted
    assert bee.recall == 0.0
    absent = per_class(Outcomes(four_predictions.head(1), image, 4), NAMES)[2]
    assert (absent.images, absent.recall, absent.ap) == (0, None, None)


def test_positions_are_those_of_the_true_centers(
    four_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    table = four_predictions.copy()
    # Centers: top left; on the bottom right corner itself; the two others in the middle.
    table.loc[0, ["xmin", "ymin", "xmax", "ymax"]] = [0.0, 0.0, 0.2, 0.2]
    table.loc[1, ["xmin", "ymin", "xmax", "ymax"]] = [1.0, 1.0, 1.0, 1.0]
    table.loc[2:, ["xmin", "ymin", "xmax", "ymax"]] = [0.4, 0.3, 0.6, 0.5]
    table.loc[2, ["pred_xmin", "pred_ymin", "pred_xmax", "pred_ymax"]] = [0.4, 0.3, 0.6, 0.4]
    outcomes = Outcomes(table, image, 4)
    cells = by_position(outcomes, grid=3)
    counts = {(cell.row, cell.column): cell.images for cell in cells if cell.images}
    assert counts == {(0, 0): 1, (1, 1): 2, (2, 2): 1}
    assert cells[4].mean_iou == pytest.approx(outcomes.iou[2:].mean())
    assert cells[4].label_accuracy == 0.5
    assert cells[1].model_dump() == {
        "row": 0,
        "column": 1,
        "images": 0,
        "mean_iou": None,
        "label_accuracy": None,
    }


def test_calibration_error_is_the_weighted_gap_of_the_bins(image: ImageSettings) -> None:
    table = pd.DataFrame(
        {
            "label": [0, 0, 0, 0],
            "predicted_label": [0, 0, 1, 0],
            "confidence": [0.95, 0.85, 0.85, 0.2],
        }
    )
    result = calibration(Outcomes(table, image, 2), bins=10)
    # Gaps: .05 of one image, |.5 - .85| of two, |1 - .2| of one.
    assert result.ece == pytest.approx((0.05 + 2 * 0.35 + 0.8) / 4)
    assert [row.images for row in result.bins] == [0, 1, 0, 0, 0, 0, 0, 0, 2, 1]
    assert result.bins[0].accuracy is None
    assert result.bins[8].model_dump() == {
        "low": pytest.approx(0.8),
        "high": pytest.approx(0.9),
        "images": 2,
        "confidence": pytest.approx(0.85),
        "accuracy": 0.5,
    }


def test_confidences_of_0_and_1_are_counted(image: ImageSettings) -> None:
    table = pd.DataFrame({"label": [0, 0], "predicted_label": [0, 1], "confidence": [1.0, 0.0]})
    result = calibration(Outcomes(table, image, 2), bins=5)
    assert [row.images for row in result.bins] == [1, 0, 0, 0, 1]
    assert result.ece == 0.0
