import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from sklearn.metrics import accuracy_score

from mnist_localization.config.data import DatasetSettings, ImageSettings
from mnist_localization.config.results import EvaluateSettings
from mnist_localization.data.boxes import BOX_COLUMNS, PREDICTED_BOX_COLUMNS
from mnist_localization.datasets import TypedJSONDataset
from mnist_localization.errors import LocalizationError
from mnist_localization.evaluation.metrics import Outcomes, all_metrics
from mnist_localization.evaluation.scores import (
    Metrics,
    ScoredSplit,
    baseline_remarks,
    evaluate_predictions,
    score,
    score_intervals,
)
from support.scoring_tables import make_metrics

PER_IMAGE_KEYS = {
    *("label_accuracy", "mean_iou", "mean_iou_raw", "median_iou"),
    *("iou_at_50", "iou_at_75", "iou_at_90", "iou_at_95", "loc_accuracy", "exact_box"),
}


def evaluated(
    predictions: pd.DataFrame,
    settings: EvaluateSettings,
    dataset: DatasetSettings,
    baselines: Mapping[str, pd.DataFrame] | None = None,
) -> Metrics:
    scored = ScoredSplit(
        source="synthetic", split="test", images=len(predictions), fingerprint="f" * 64
    )
    tables = (baselines or {}).items()
    return evaluate_predictions(
        predictions, tables, settings, dataset, 1, scored=scored, training={"seed": 1}
    )


def test_scores_of_four_known_predictions(
    four_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    scores = score(Outcomes(four_predictions, image, 4))
    assert scores["label_accuracy"] == 0.5
    assert scores["mean_iou"] == pytest.approx(0.5)
    # The first raw box is 0.4 of 20 pixels to the right: 19.6 / 20.4.
    assert scores["mean_iou_raw"] == pytest.approx((19.6 / 20.4 + 1) / 4)
    assert scores["median_iou"] == pytest.approx(0.5)
    assert [scores[f"iou_at_{share}"] for share in (50, 75, 90, 95)] == [0.5] * 4
    assert scores["loc_accuracy"] == 0.25
    assert scores["exact_box"] == 0.5


def test_a_box_is_exact_when_all_edges_round_to_the_pixels_of_the_true_box(
    four_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    one = four_predictions.head(1).copy()
    one["pred_xmin"] = 0.2049  # 20.49 of 100 pixels
    assert score(Outcomes(one, image, 4))["exact_box"] == 1.0
    one["pred_xmin"] = 0.2051
    assert score(Outcomes(one, image, 4))["exact_box"] == 0.0
    # The same shift relative to half as many pixels of height stays within the pixel.
    one["pred_xmin"], one["pred_ymin"] = 0.2, 0.2051
    assert score(Outcomes(one, image, 4))["exact_box"] == 1.0


def test_scores_agree_with_plain_counting(
    random_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    scores = score(Outcomes(random_predictions, image, 4))
    right = random_predictions["label"] == random_predictions["predicted_label"]
    assert scores["label_accuracy"] == accuracy_score(
        random_predictions["label"], random_predictions["predicted_label"]
    )
    assert scores["loc_accuracy"] == (right & (random_predictions["iou"] >= 0.5)).mean()
    for threshold in (50, 75, 90, 95):
        found = (random_predictions["iou"] >= threshold / 100).mean()
        assert scores[f"iou_at_{threshold}"] == found
    assert scores["loc_accuracy"] <= min(scores["label_accuracy"], scores["iou_at_50"])


def test_metrics_document_has_every_key_and_loads_back_to_the_same_metrics(
    random_predictions: pd.DataFrame, settings: EvaluateSettings, dataset: DatasetSettings
) -> None:
    baselines = {"mean_box": random_predictions, "center_of_mass": random_predictions[:0]}
    metrics = evaluated(random_predictions, settings, dataset, baselines)
    text = json.dumps(metrics.model_dump(mode="json"), allow_nan=False)
    document = json.loads(text)
    assert document.keys() >= PER_IMAGE_KEYS | {"intervals", "intervals_method", "ap", "baselines"}
    assert all(type(document[key]) is float for key in PER_IMAGE_KEYS)
    assert document["images"] == 200
    assert document["baselines"]["center_of_mass"] is None
    own = {key: document[key] for key in document["baselines"]["mean_box"]}
    assert document["baselines"]["mean_box"] == own
    assert own.keys() >= PER_IMAGE_KEYS | {"images"}
    assert Metrics.model_validate(document) == metrics


def test_metrics_are_json_if_classes_and_regions_are_empty(
    four_predictions: pd.DataFrame, settings: EvaluateSettings, dataset: DatasetSettings
) -> None:
    metrics = evaluated(four_predictions.head(1), settings, dataset)
    json.dumps(metrics.model_dump(mode="json"), allow_nan=False)
    assert metrics.scores["ap"] == 1.0
    assert metrics.per_class[3].recall is None


def test_metrics_of_an_older_layout_are_an_error_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text('{"label_accuracy": 0.9, "mean_iou": 0.8, "images": 10}', "utf-8")
    dataset = TypedJSONDataset(
        filepath=str(path),
        model="mnist_localization.evaluation.scores.Metrics",
        stage="evaluate",
    )
    with pytest.raises(DatasetError) as raised:
        dataset.load()
    assert isinstance(raised.value.__cause__, LocalizationError)
    assert "metrics.json" in str(raised.value.__cause__)
    assert "kedro run --pipelines=evaluate" in str(raised.value.__cause__)


def test_every_interval_contains_its_score_and_has_a_method(
    random_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    scores = score(Outcomes(random_predictions, image, 4))
    intervals = score_intervals(Outcomes(random_predictions, image, 4), resamples=300, seed=3)
    methods = {metric.key: metric.interval for metric in all_metrics()}
    assert intervals.keys() == PER_IMAGE_KEYS
    for name, (low, high) in intervals.items():
        assert 0 <= low <= scores[name] <= high <= 1, name
        assert methods[name] == ("bootstrap" if name.startswith(("mean", "median")) else "wilson")


def test_the_same_seed_gives_the_same_intervals(
    random_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    outcomes = Outcomes(random_predictions, image, 4)
    first = score_intervals(outcomes, resamples=50, seed=3)
    again = score_intervals(outcomes, resamples=50, seed=3)
    other = score_intervals(outcomes, resamples=50, seed=4)
    assert first == again
    assert first["mean_iou"] != other["mean_iou"]


def test_a_label_outside_the_classes_is_an_error_that_names_the_file(
    four_predictions: pd.DataFrame, settings: EvaluateSettings, dataset: DatasetSettings
) -> None:
    wrong = four_predictions.assign(predicted_label=[0, 1, 7, 3])
    with pytest.raises(LocalizationError, match=r"2\.png: predicted_label is 7"):
        evaluated(wrong, settings, dataset)
    with pytest.raises(LocalizationError, match="no predictions"):
        evaluated(four_predictions.head(0), settings, dataset)


def test_remarks_name_the_baselines_that_the_model_does_not_beat() -> None:
    def remarks(model: float, closed_form: float | None) -> list[str]:
        baselines = {
            "mean_box": {"mean_iou": 0.1},
            "center_of_mass": None if closed_form is None else {"mean_iou": closed_form},
        }
        return baseline_remarks(make_metrics(scores={"mean_iou": model}, baselines=baselines))

    assert remarks(0.5, None) == []
    assert remarks(1.0, 1.0) == []
    assert remarks(0.05, None) == [
        "the model does not beat the baseline mean_box: mean IoU 0.0500, baseline 0.1000"
    ]
    assert remarks(0.9, 1.0) == [
        "the model does not beat the baseline center_of_mass: mean IoU 0.9000, baseline 1.0000"
    ]


def test_iou_does_not_depend_on_the_stored_column(
    random_predictions: pd.DataFrame, image: ImageSettings
) -> None:
    perfect = random_predictions.copy()
    perfect[list(PREDICTED_BOX_COLUMNS)] = perfect[list(BOX_COLUMNS)].to_numpy()
    assert score(Outcomes(perfect, image, 4))["mean_iou"] == pytest.approx(1.0)
    assert np.isclose(score(Outcomes(perfect, image, 4))["exact_box"], 1.0)
