import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.partitions import PartitionedDataset

from mnist_localization.config.results import CompareSettings
from mnist_localization.datasets import AtomicParquetDataset
from mnist_localization.errors import LocalizationError
from mnist_localization.evaluation.runs import (
    RunRecord,
    chosen_records,
    comparison,
    run_record,
    training_facts,
)
from mnist_localization.models.provenance import Provenance
from mnist_localization.pipelines.compare import create_pipeline
from support.project import Project
from support.scoring_tables import make_metrics


def record(architecture: str, mean_iou: float, minute: int, **training: Any) -> RunRecord:
    metrics = make_metrics(scores={"mean_iou": mean_iou})
    provenance = Provenance(architecture=architecture, seed=1, **training)
    return run_record(metrics, provenance, "f" * 64, f"2026-01-01T00:{minute:02}:00+00:00")


def test_a_run_is_named_by_its_training_and_not_by_scores_and_time() -> None:
    assert record("a", 0.5, minute=1).run == record("a", 0.6, minute=2).run
    assert record("a", 0.5, minute=1).run != record("a", 0.5, minute=1, source="x").run
    assert record("a", 0.5, minute=1).run.startswith("a-")


def test_a_record_keeps_scores_dataset_and_training() -> None:
    kept = record("a", 0.5, minute=1)
    assert kept.scores == {"mean_iou": 0.5, "images": 10}
    assert kept.dataset == make_metrics().dataset
    assert kept.training == Provenance(architecture="a", seed=1)


def test_the_comparison_lists_all_scores_and_the_parameters_that_differ() -> None:
    first = record("a", 0.5, minute=1, settings={"epochs": 3, "batch_size": 8})
    second = record("b", 0.75, minute=2, settings={"epochs": 5, "batch_size": 8})
    table = comparison([first, second])
    assert table.columns.tolist() == ["section", "quantity", first.run, second.run]
    rows = {row[1]: row[2:] for row in table.itertuples(index=False, name=None)}
    assert rows["mean_iou"] == ("0.5", "0.75")
    assert rows["source"] == ("upstream", "upstream")
    assert rows["architecture"] == ("a", "b")
    assert rows["settings.epochs"] == ("3", "5")
    assert not {"seed", "settings.batch_size"} & rows.keys()


def test_training_facts_are_flat_and_unique() -> None:
    provenance = {
        "architecture": "glimpse",
        "seed": 3,
        "train_images": 60000,
        "train_fingerprint": "f" * 64,
        "class_names": ["a", "b"],
        "settings": {"architecture": "glimpse", "epochs": 8, "glimpse": {"units": [64, 32]}},
    }
    assert training_facts(Provenance(**provenance)) == {
        "architecture": "glimpse",
        "seed": 3,
        "train_images": 60000,
        "epochs": 8,
        "glimpse.units": [64, 32],
    }
    assert training_facts(Provenance()) == {}


def test_a_quantity_that_only_one_run_has_leaves_the_other_empty() -> None:
    table = comparison([record("a", 0.5, 1), record("a", 0.5, 2, settings={"crop": 28})])
    assert table[table["quantity"] == "settings.crop"].iloc[0].tolist()[2:] == ["", "28"]


def test_the_latest_runs_are_selected_if_none_is_named() -> None:
    records = [record("c", 0.3, 3), record("a", 0.1, 1), record("b", 0.2, 2)]
    chosen = chosen_records(records, runs=(), latest=2)
    assert [each.training.architecture for each in chosen] == ["b", "c"]


def test_named_runs_are_selected_in_the_given_order() -> None:
    records = [record("a", 0.1, 1), record("b", 0.2, 2), record("c", 0.3, 3)]
    ends = records[0].run[-4:]
    chosen = chosen_records(records, runs=("c-", ends), latest=2)
    assert [each.training.architecture for each in chosen] == ["c", "a"]


@pytest.mark.parametrize("runs", [("x",), ("a-", "a-"), ("",)])
def test_a_name_that_matches_no_run_or_several_is_an_error_that_lists_the_runs(
    runs: tuple[str, ...],
) -> None:
    records = [record("a", 0.1, 1), record("b", 0.2, 2)]
    with pytest.raises(LocalizationError, match=f"{records[0].run}, {records[1].run}"):
        chosen_records(records, runs, latest=2)


def test_one_run_alone_cannot_be_compared() -> None:
    with pytest.raises(LocalizationError, match="needs two evaluated runs, but on disk is: a-"):
        chosen_records([record("a", 0.1, 1)], runs=(), latest=2)


def test_the_pipeline_compares_the_records_on_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history = PartitionedDataset(
        path=str(tmp_path / "runs"),
        dataset={
            "type": "mnist_localization.datasets.TypedJSONDataset",
            "model": "mnist_localization.evaluation.runs.RunRecord",
            "stage": "evaluate",
        },
        filename_suffix=".json",
    )
    for each in (record("a", 0.5, 1), record("b", 0.75, 2)):
        history.save({each.run: each})  # each by its own `kedro run`
    (tmp_path / "runs" / ".part-c.json").write_text('{"half')
    catalog = DataCatalog(
        {
            "run_history": history,
            "params:compare": MemoryDataset(CompareSettings(runs=(), latest=2)),
            "run_comparison": AtomicParquetDataset(filepath=str(tmp_path / "table.parquet")),
        }
    )
    with caplog.at_level(logging.INFO, logger="mnist_localization"):
        SequentialRunner().run(create_pipeline(), catalog)
    table = catalog.load("run_comparison")
    assert table.set_index("quantity").loc["mean_iou"].tolist() == ["scores", "0.5", "0.75"]
    assert "mean_iou" in caplog.text


def test_the_command_compares_the_runs_that_are_named(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project")
    folder = project.data / "08_reporting" / "runs"
    folder.mkdir(parents=True)
    records = [
        record("a", 0.25, 1, settings={"epochs": 3, "optimizer": {"rate": 0.001}}),
        record("a", 0.5, 2, settings={"epochs": 3, "optimizer": {"rate": 0.002}}),
        record("b", 0.75, 3, settings={"epochs": 5, "optimizer": {"rate": 0.002}}),
    ]
    for each in records:
        (folder / f"{each.run}.json").write_text(each.model_dump_json(), "utf-8")
    first, _, last = (each.run for each in records)
    said = project.run("--pipelines=compare", "--params", f"compare.runs={first} {last}")
    table = pd.read_parquet(project.data / "08_reporting" / "run_comparison.parquet")
    assert table.columns.tolist() == ["section", "quantity", first, last]
    rows = {row[1]: row[2:] for row in table.itertuples(index=False, name=None)}
    assert rows["settings.epochs"] == ("3", "5")
    assert rows["settings.optimizer.rate"] == ("0.001", "0.002")
    assert "settings.optimizer.rate" in said


def test_runs_are_named_by_a_list_or_by_the_words_of_a_text():
    # `--params` splits at commas, and reads digits alone as a number.
    assert CompareSettings(runs="1a2b 5e6f", latest=2).runs == ("1a2b", "5e6f")
    assert CompareSettings(runs=12345678, latest=2).runs == ("12345678",)
    assert CompareSettings(runs=["a", "b"], latest=2).runs == ("a", "b")
