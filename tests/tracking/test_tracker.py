"""The tracker without a server: disabled, broken, and as a dataset."""

import logging
from pathlib import Path

import pytest
from kedro.io import DatasetError, SharedMemoryDataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import ParallelRunner

from mnist_localization.datasets import TrackerDataset
from mnist_localization.tracking import Receipt, RunContext
from mnist_localization.tracking.report import result_text, task_text
from support.dataset_cards import make_card
from support.small_publications import (
    make_tracker,
    metrics,
    of_type,
    publication,
    records_of,
    settings,
    train,
)


def test_disabled_returns_a_receipt_and_leaves_nothing(tmp_path: Path) -> None:
    tracker = make_tracker(tmp_path, settings={"mode": "disabled"})
    train(tracker)
    tracker.log_scores(metrics())
    assert tracker.publish(publication()) == Receipt(mode="disabled")
    tracker.close(ValueError("it failed"))
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_client_that_cannot_record_does_not_stop_the_pipeline(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    tracker = make_tracker(tmp_path)
    train(tracker, epochs=3)
    receipt = tracker.publish(publication())
    tracker.close()
    (warning,) = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert "the run continues without it" in warning
    assert receipt.mode == "offline"


def test_a_configured_group_is_shared_by_all_runs(tmp_path: Path) -> None:
    names = {"group": "mine", "name": "my run", "tags": ["one", "two"]}
    training = make_tracker(tmp_path, "train", settings=names)
    train(training)
    training.close()
    receipt = make_tracker(tmp_path, "publish", settings=names).publish(publication())
    assert receipt.group == "mine"
    assert len(receipt.runs) == 2
    (run,) = of_type(records_of(tmp_path / receipt.runs[0].folder), "run")
    assert run["run_group"] == "mine"
    assert run["display_name"] == "my run"
    assert run["tags"] == ["one", "two"]


def test_the_dataset_records_nothing_outside_of_a_kedro_run(tmp_path: Path) -> None:
    dataset = TrackerDataset(path=str(tmp_path / "wandb"))
    tracker = dataset.load()
    assert tracker.is_disabled
    train(tracker)
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="not an output"):
        dataset.save("anything")


def test_the_dataset_loads_the_tracker_that_was_attached(tmp_path: Path) -> None:
    dataset = TrackerDataset(path=str(tmp_path / "wandb"))
    attached = dataset.attach(RunContext(settings=settings()))
    assert dataset.load() is attached
    assert not attached.is_disabled


def test_a_run_is_not_shared_by_processes(tmp_path: Path) -> None:
    catalog = SharedMemoryDataCatalog({"tracker": TrackerDataset(path=str(tmp_path / "wandb"))})
    pipeline = Pipeline([Node(len, "tracker", "length", name="length")])
    with pytest.raises(AttributeError, match=r"multiprocessing: \['tracker'\]"):
        ParallelRunner().run(pipeline, catalog)


def test_names_from_the_dataset_are_not_markup_in_the_report() -> None:
    card = make_card(source="synthetic", train_images=3)
    text = task_text(["a`b", "c|d", "<img>"], card)
    assert "`a'b`, `c/d`, `<img>`" in text
    assert "stand-in" in text


def test_the_report_compares_the_scores_with_the_baselines() -> None:
    lines = result_text(metrics()).splitlines()
    assert lines[0] == "| score | `model` | `mean_box` |"
    assert "| Mean IoU | 0.4000 | 0.0995 |" in lines
    assert "| Label accuracy | 80.00 % | 10.00 % |" in lines
