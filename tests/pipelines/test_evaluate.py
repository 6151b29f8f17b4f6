import logging
from pathlib import Path

import keras
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from mnist_localization.config.results import EvaluateSettings
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.images.pipeline import batches
from mnist_localization.data.images.store import ImageStore
from mnist_localization.datasets import AtomicParquetDataset, TypedJSONDataset
from mnist_localization.errors import StaleError
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.provenance import Provenance
from mnist_localization.pipelines.evaluate import create_pipeline
from support.dataset_cards import make_card
from support.kept_runs import runs_with
from support.settings import image_settings, section
from support.small_stores import SIDE, make_store

FIGURES = (
    *("iou_histogram", "confusion_heatmap", "class_scores", "position_heatmap"),
    *("reliability_diagram", "worst_predictions", "random_predictions"),
)


ORIGIN = {
    "architecture": "report2020",
    "validated_on": "test",
    "settings": {"epochs": 3, "early_stopping": {"patience": 2}, "dropout": 0.3},
}


class ScoreKeeper:
    """Stands in for the tracker: keeps what it is told."""

    def __init__(self) -> None:
        self.scores: Metrics | None = None

    def log_scores(self, metrics: Metrics) -> None:
        self.scores = metrics


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ImageStore]:
    folder = tmp_path_factory.mktemp("stores")
    sizes = {"train": 20, "validation": 8, "test": 21}
    return {name: make_store(folder, sizes[name], seed, name) for seed, name in enumerate(sizes)}


@pytest.fixture(scope="module")
def localizer(stores: dict[str, ImageStore]) -> keras.Model:
    keras.utils.set_random_seed(1)
    fingerprints = {f"{name}_fingerprint": stores[name].meta.fingerprint for name in stores}
    spec = ModelSpec(SIDE, SIDE, 1, 2, True, Provenance(**fingerprints, **ORIGIN))
    settings = {"dropout": 0.3, "regression_units": [8], "rescale": True}
    return build_network("report2020", settings, spec).localizer


@pytest.fixture
def catalog(tmp_path: Path, stores: dict[str, ImageStore], localizer: keras.Model) -> DataCatalog:
    image = image_settings(height=SIDE, width=SIDE, channels=1)
    settings = EvaluateSettings(
        model="latest",
        batch_size=8,
        on_stale="warn",
        bootstrap_resamples=50,
        calibration_bins=5,
        position_grid=2,
        contact_sheet=3,
        robustness=False,
    )
    assigned = {
        "params:evaluate": settings,
        "params:dataset": section(
            "dataset", image=image, class_names=("small", "large"), whole_pixel_boxes=True
        ),
        "params:seed": 7,
        "class_names": ClassNames(("small", "large")),
        "runs": runs_with(localizer),
        "dataset_card": make_card(source="synthetic"),
        "tracker": ScoreKeeper(),
        **{f"{name}_split": batches(store, 8) for name, store in stores.items()},
    }
    datasets = {name: MemoryDataset(value, copy_mode="assign") for name, value in assigned.items()}
    tables = {
        name: AtomicParquetDataset(filepath=str(tmp_path / f"{name}.parquet"))
        for name in ("predictions", "baseline_predictions", "robustness")
    }
    figures = {
        name: MemoryDataset(copy_mode="assign")
        for name in (*FIGURES, "run_history", "run_predictions")
    }
    metrics = {
        "metrics": TypedJSONDataset(
            filepath=str(tmp_path / "metrics.json"),
            model="mnist_localization.evaluation.scores.Metrics",
            stage="evaluate",
        )
    }
    return DataCatalog({**datasets, **tables, **figures, **metrics})


def test_the_stage_saves_predictions_metrics_and_charts(
    catalog: DataCatalog, stores: dict[str, ImageStore], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="mnist_localization"):
        SequentialRunner().run(create_pipeline(), catalog)
    predictions, metrics = catalog.load("predictions"), catalog.load("metrics")
    assert predictions["file"].tolist() == stores["test"].annotations["file"].tolist()
    assert metrics.dataset.model_dump() == {
        "source": "synthetic",
        "split": "test",
        "images": 21,
        "fingerprint": stores["test"].meta.fingerprint,
        "validated_on": "test",
    }
    assert metrics.training == {
        "architecture": "report2020",
        "validated_on": "test",
        "epochs": 3,
        "early_stopping.patience": 2,
        "dropout": 0.3,
    }
    assert metrics.scores["mean_iou"] == pytest.approx(predictions["iou"].mean())
    # Squares of two sizes have no closed form.
    assert metrics.baselines["center_of_mass"] is None
    assert metrics.baselines["mean_box"]["images"] == 21
    assert catalog.load("tracker").scores == metrics
    assert all(catalog.load(name) is not None for name in FIGURES)
    ((name, record),) = catalog.load("run_history").items()
    assert name == f"{metrics.run}/{stores['test'].meta.fingerprint[:12]}"
    assert metrics.run.startswith("report2020-")
    assert predictions.attrs["run"] == record.run == metrics.run
    ((kept, table),) = catalog.load("run_predictions").items()
    assert kept == name
    pd.testing.assert_frame_equal(table, predictions)
    assert record.scores["mean_iou"] == metrics.scores["mean_iou"]
    assert catalog.load("robustness").empty  # not asked for
    assert "21 images): label accuracy" in caplog.text
    assert "validated on the test split" in caplog.text
    assert "Stale" not in caplog.text


def test_a_second_run_of_the_stage_gives_the_same_metrics(catalog: DataCatalog) -> None:
    SequentialRunner().run(create_pipeline(), catalog)
    first = catalog.load("metrics")
    SequentialRunner().run(create_pipeline(), catalog)
    assert catalog.load("metrics") == first


def test_predictions_of_another_model_are_a_warning_or_an_error(
    catalog: DataCatalog, localizer: keras.Model, caplog: pytest.LogCaptureFixture
) -> None:
    scoring = create_pipeline().only_nodes("score_predictions")
    SequentialRunner().run(create_pipeline(), catalog)
    retrained = keras.models.clone_model(localizer)
    catalog["runs"] = MemoryDataset(runs_with(retrained), copy_mode="assign")
    SequentialRunner().run(scoring, catalog)
    assert "Stale: the predictions were made from the localizer" in caplog.text
    strict = catalog.load("params:evaluate").model_copy(update={"on_stale": "error"})
    catalog["params:evaluate"] = MemoryDataset(strict, copy_mode="assign")
    with pytest.raises(StaleError, match="the predictions were made from the localizer"):
        SequentialRunner().run(scoring, catalog)


def test_metrics_name_the_source_of_the_scored_split_even_if_the_card_differs(
    catalog: DataCatalog, caplog: pytest.LogCaptureFixture
) -> None:
    SequentialRunner().run(create_pipeline(), catalog)
    catalog["dataset_card"] = MemoryDataset(make_card(source="upstream"))
    scoring = create_pipeline().only_nodes("score_predictions")
    SequentialRunner().run(scoring, catalog)
    assert catalog.load("metrics").dataset.source == "synthetic"
    assert "Stale: the test split on disk is of the source 'synthetic'" in caplog.text
    assert "dataset_card is of 'upstream'" in caplog.text
    strict = catalog.load("params:evaluate").model_copy(update={"on_stale": "error"})
    catalog["params:evaluate"] = MemoryDataset(strict, copy_mode="assign")
    with pytest.raises(StaleError, match="dataset_card is of 'upstream'"):
        SequentialRunner().run(scoring, catalog)


def test_a_model_of_another_training_split_is_reported(
    catalog: DataCatalog,
    stores: dict[str, ImageStore],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = make_store(tmp_path, count=20, seed=99, split="train")
    catalog["train_split"] = MemoryDataset(batches(other, 8), copy_mode="assign")
    SequentialRunner().run(create_pipeline().only_nodes("predict_test_split"), catalog)
    assert f"train split {stores['train'].meta.fingerprint[:12]}" in caplog.text
    assert f"on disk is {other.meta.fingerprint[:12]}" in caplog.text


def test_predictions_join_to_the_annotations_by_file(
    catalog: DataCatalog, stores: dict[str, ImageStore]
) -> None:
    SequentialRunner().run(create_pipeline().only_nodes("predict_test_split"), catalog)
    worst = catalog.load("predictions").nsmallest(3, "iou")
    joined = worst.merge(stores["test"].annotations, on="file", suffixes=("", "_annotated"))
    pd.testing.assert_series_equal(joined["xmin"], joined["xmin_annotated"], check_names=False)
    assert len(joined) == 3


def test_robustness_has_one_row_per_perturbation_if_enabled(catalog: DataCatalog) -> None:
    asked = catalog.load("params:evaluate").model_copy(update={"robustness": True})
    catalog["params:evaluate"] = MemoryDataset(asked, copy_mode="assign")
    nodes = create_pipeline().only_nodes("predict_test_split", "measure_robustness")
    SequentialRunner().run(nodes, catalog)
    table = catalog.load("robustness").set_index("perturbation")
    assert table.index.tolist() == [
        *("clean", "noise 0.1", "noise 0.2", "clutter", "brightness +0.2", "contrast 0.5"),
        *("scale 0.7", "scale 1.0", "scale 1.4"),
    ]
    predictions = catalog.load("predictions")
    assert table.loc["clean", "mean_iou"] == pytest.approx(predictions["iou"].mean())
    right = predictions["label"] == predictions["predicted_label"]
    assert table.loc["clean", "label_accuracy"] == right.mean()
    assert table["label_accuracy"].between(0, 1).all()
    # Squares of two sizes have no closed form.
    assert table["center_of_mass_mean_iou"].isna().all()
