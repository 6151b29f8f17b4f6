from typing import Any

import pytest

from mnist_localization.config.results import CompareSettings
from mnist_localization.errors import LocalizationError
from mnist_localization.evaluation.runs import (
    RunRecord,
    chosen_records,
    comparison,
    run_record,
    score_table,
    training_facts,
)
from mnist_localization.models.provenance import Provenance
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


def no_pointer(reference: str) -> str:
    raise LocalizationError(f"there is no {reference} run")


def test_the_latest_runs_are_selected_if_none_is_named() -> None:
    records = [record("a", 0.1, 1), record("b", 0.2, 2), record("c", 0.3, 3)]
    chosen = chosen_records(records, (), 2, no_pointer)
    assert [each.training.architecture for each in chosen] == ["b", "c"]


def test_named_runs_are_selected_in_the_given_order() -> None:
    records = [record("a", 0.1, 1), record("b", 0.2, 2), record("c", 0.3, 3)]
    ends = records[0].run[-4:]
    chosen = chosen_records(records, ("c-", ends, "best"), 2, lambda _: records[1].run)
    assert [each.training.architecture for each in chosen] == ["c", "a", "b"]


def test_the_evaluations_of_one_split_are_compared_if_there_are_any() -> None:
    def on(each: RunRecord, fingerprint: str) -> RunRecord:
        dataset = each.dataset.model_copy(update={"fingerprint": fingerprint})
        return each.model_copy(update={"dataset": dataset})

    a, b = record("a", 0.1, 1), record("b", 0.2, 2)
    shared = [on(a, "one"), on(b, "one"), on(b, "two")]
    assert chosen_records(shared, (), 2, no_pointer) == shared[:2]
    apart = [on(a, "one"), on(b, "two"), on(b, "three")]
    assert chosen_records(apart, (), 2, no_pointer) == [apart[0], apart[2]]


@pytest.mark.parametrize("runs", [("x",), ("a-", "a-"), ("",)])
def test_a_name_that_matches_no_run_or_several_is_an_error_that_lists_the_runs(
    runs: tuple[str, ...],
) -> None:
    records = [record("a", 0.1, 1), record("b", 0.2, 2)]
    with pytest.raises(LocalizationError, match=f"{records[0].run}, {records[1].run}"):
        chosen_records(records, runs, 2, no_pointer)


@pytest.mark.parametrize("runs", [(), ("a",)])
def test_one_run_alone_cannot_be_compared(runs: tuple[str, ...]) -> None:
    with pytest.raises(LocalizationError, match="needs two evaluated runs, but there is: a-"):
        chosen_records([record("a", 0.1, 1)], runs, 2, no_pointer)


def test_scores_are_shown_with_their_intervals() -> None:
    whole = run_record(make_metrics(), Provenance(), "f", "2026-01-01")
    table = score_table([whole, record("a", 0.5, 1)])
    assert table["Label accuracy"].tolist() == ["80.00 % (50.00 % to 95.00 %)", ""]
    assert table["Mean IoU"].tolist() == ["0.8000", "0.5000"]


def test_runs_are_named_by_a_list_or_by_the_words_of_a_text():
    # `--params` splits at commas, and reads digits alone as a number.
    assert CompareSettings(runs="1a2b 5e6f", latest=2, images=4).runs == ("1a2b", "5e6f")
    assert CompareSettings(runs=12345678, latest=2, images=4).runs == ("12345678",)
    assert CompareSettings(runs=["a", "b"], latest=2, images=4).runs == ("a", "b")
