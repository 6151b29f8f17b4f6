from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mnist_localization.config.results import CompareSettings
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.boxes import BOX_COLUMNS, PREDICTED_BOX_COLUMNS
from mnist_localization.evaluation.runs import run_record
from mnist_localization.folder import Folder
from mnist_localization.models.provenance import Provenance
from mnist_localization.models.runs import Runs
from mnist_localization.pipelines.compare.nodes import compare_runs
from support.scoring_tables import make_metrics
from support.settings import section
from support.small_stores import make_store


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path, 12, seed=1, split="test")


@pytest.fixture
def runs(tmp_path):
    return Runs(Folder(tmp_path / "runs"), tmp_path, lambda: None)


def evaluations(store, names, fingerprints=None):
    """Return records and predictions of runs, of which each has one more label wrong."""
    history, predictions = {}, {}
    for number, name in enumerate(names):
        table = store.annotations.assign(predicted_label=store.labels, confidence=0.5)
        table.loc[: number - 1, "predicted_label"] = 1 - store.labels[:number]
        table["iou"] = np.linspace(0.5, 1, 12) - 0.01 * number
        table[list(PREDICTED_BOX_COLUMNS)] = table[list(BOX_COLUMNS)].to_numpy()
        fingerprint = (fingerprints or {}).get(number, store.meta.fingerprint)
        dataset = make_metrics().dataset.model_copy(update={"fingerprint": fingerprint})
        metrics = make_metrics().model_copy(update={"dataset": dataset})
        known = Provenance(architecture=name, seed=number)
        record = run_record(metrics, known, "f", f"2026-01-0{number + 1}")
        history[record.key], predictions[record.key] = record, table
    return (
        {key: lambda value=value: value for key, value in kind.items()}
        for kind in (history, predictions)
    )


def compare(runs, store, evaluated, latest=3):
    history, predictions = evaluated
    return compare_runs(
        CompareSettings(runs=(), latest=latest, images=4),
        section("evaluate", bootstrap_resamples=50),
        1,
        ClassNames(("<small>", "large")),
        runs,
        history,
        predictions,
        SimpleNamespace(store=store),
    )


def test_scores_tests_curves_and_images_are_on_the_page(runs, store, monkeypatch):
    history = pd.DataFrame({"epoch": [1, 2], "val_label_accuracy": [0.5, 0.75]})
    monkeypatch.setattr(Runs, "history", lambda *_: history)
    table, tests, curves, page = compare(runs, store, evaluations(store, ["one", "two", "three"]))
    names = table.columns[2:].tolist()
    assert [name.split("-")[0] for name in names] == ["one", "two", "three"]
    assert tests["run"].tolist() == [names[1], names[1], names[2], names[2]]
    assert tests["difference"].tolist() == pytest.approx([-1 / 12, -0.01, -2 / 12, -0.02])
    assert [trace.name for trace in curves.data] == names
    assert page.count("<figure") == 4
    assert page.count("data:image/png") == 4
    assert "&lt;small&gt;" in page
    assert "<small>" not in page
    assert "Validation label accuracy" in page
    assert all(name in page for name in names)


def test_runs_of_different_splits_are_compared_without_tests(runs, store, caplog):
    evaluated = evaluations(store, ["one", "two"], {1: "e" * 64})
    _, tests, _, page = compare(runs, store, evaluated)
    assert tests.empty
    assert "not evaluated on one test split" in page
    assert "evaluate.model=NAME" in caplog.text


def test_images_of_another_split_are_not_shown(runs, store):
    evaluated = evaluations(store, ["one", "two"], {0: "e" * 64, 1: "e" * 64})
    _, tests, _, page = compare(runs, store, evaluated)
    assert len(tests) == 2
    assert "the test split on disk is another one" in page
    assert "<figure" not in page
