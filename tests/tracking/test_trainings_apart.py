"""Several trainings in one project: their groups, and that nothing is lost."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mnist_localization.tracking.run_index import ReceiptRun
from support.small_publications import (
    CARD,
    CLASS_NAMES,
    FOLDER,
    PROVENANCE,
    history,
    make_tracker,
    merged,
    metrics,
    of_type,
    publication,
    record,
    records_of,
    run_all,
    train,
)
from support.wandb_stub import KEY, StubServer


def run_index(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / FOLDER / "runs.json").read_text())
    return found


def rows(root: Path, run: ReceiptRun) -> list[dict[str, Any]]:
    return [row["item"] for row in of_type(records_of(root / run.folder), "history")]


def train_offline(root: Path, key: str, epochs: int = 2) -> dict[str, Any]:
    """Train and return the run index."""
    tracker = make_tracker(root, "train", settings={"mode": "offline"})
    train(tracker, epochs, key)
    tracker.close()
    return run_index(root)


def test_runs_of_an_earlier_training_are_uploaded_by_the_next_publication(
    tmp_path: Path, server: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = train_offline(tmp_path, "first"), train_offline(tmp_path, "second")
    assert second["group"] != first["group"]
    assert second["earlier"] == first["runs"]
    assert [run["group"] for run in second["earlier"]] == [first["group"]]

    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    receipt = make_tracker(tmp_path, "publish").publish(publication())
    (old,), (new,) = first["runs"], second["runs"]
    assert {run["groupName"] for run in server.runs.values()} == {first["group"], second["group"]}
    assert server.runs[old["id"]]["groupName"] == first["group"]
    assert len(server.history(old["id"])) == 2
    assert receipt.runs[0].id == new["id"]
    assert old["id"] not in receipt.model_dump_json()
    assert receipt.mode == "online"
    assert run_index(tmp_path)["earlier"] == []


def test_an_old_run_that_cannot_be_uploaded_does_not_prevent_the_report(
    tmp_path: Path, account: StubServer
) -> None:
    (old,) = train_offline(tmp_path, "first")["runs"]
    (file,) = (tmp_path / old["folder"]).glob("*.wandb")
    file.write_bytes(b"this is no run")
    train_offline(tmp_path, "second")
    receipt = make_tracker(tmp_path, "publish").publish(publication())
    assert receipt.report_url
    assert receipt.mode == "online"
    assert all(run.url for run in receipt.runs)
    assert [run["id"] for run in run_index(tmp_path)["earlier"]] == [old["id"]]


def test_runs_whose_folder_is_gone_are_forgotten(tmp_path: Path) -> None:
    (gone,) = train_offline(tmp_path, "first")["runs"]
    shutil.rmtree(tmp_path / gone["folder"])
    second = train_offline(tmp_path, "second")
    assert second["earlier"] == []
    assert [run["losses"] for run in second["runs"]] == [{"1": 1.0, "2": 0.5}]


def test_a_training_that_was_not_tracked_is_published_in_a_new_group(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    first = run_all(tmp_path)
    train(make_tracker(tmp_path, "train", settings={"mode": "disabled"}))
    evaluate = make_tracker(tmp_path, "evaluate", history=lambda: history([0.9, 0.4, 0.3]))
    evaluate.log_scores(metrics())
    evaluate.close()
    assert "its runs get a new group" in caplog.text
    second = make_tracker(tmp_path, "publish").publish(publication(losses=[0.9, 0.4, 0.3]))

    assert second.group != first.group
    assert [run.job_type for run in second.runs] == ["evaluate", "publish"]
    for run in second.runs:
        (opened,) = of_type(records_of(tmp_path / run.folder), "run")
        assert opened["run_group"] == second.group
    recorded = rows(tmp_path, second.runs[1])
    assert [row.get("epoch/loss") for row in recorded] == [0.9, 0.4, 0.3, None]
    assert [run["group"] for run in run_index(tmp_path)["earlier"]] == [first.group]


def test_publishing_records_the_epochs_that_were_lost_by_a_kill(tmp_path: Path) -> None:
    losses = [1.0, 0.5, 0.4]
    killed = make_tracker(tmp_path, "train")
    killed.start_training(CARD, PROVENANCE, "k")
    killed.log_epoch(1, {"loss": losses[0]}, [record(1)], CLASS_NAMES)
    killed.close(InterruptedError("killed"))
    resumed = make_tracker(tmp_path, "train")
    resumed.start_training(CARD, PROVENANCE, "k")
    resumed.log_epoch(3, {"loss": losses[2]})
    resumed.end_training()
    resumed.close()

    receipt = make_tracker(tmp_path, "publish").publish(publication(losses=losses))
    parts = [rows(tmp_path, run) for run in receipt.runs]
    assert [[row.get("epoch/epoch") for row in part] for part in parts] == [[1], [3], [2, None]]
    assert parts[2][0]["epoch/loss"] == losses[1]
    assert parts[2][0]["epoch/val_loss"] == losses[1] + 0.1

    again = make_tracker(tmp_path, "publish").publish(publication(2.0, losses))
    assert [row.get("epoch/epoch") for row in rows(tmp_path, again.runs[3])] == [None]


def test_a_restarted_training_replaces_the_later_epochs(tmp_path: Path) -> None:
    tracker = make_tracker(tmp_path, "train")
    tracker.start_training(CARD, PROVENANCE, "k")
    for epoch, loss in ((1, 1.0), (2, 0.9), (1, 0.8)):
        tracker.log_epoch(epoch, {"loss": loss})
    tracker.close()
    (run,) = run_index(tmp_path)["runs"]
    assert run["losses"] == {"1": 0.8}


def test_a_failure_before_anything_was_logged_is_a_failed_run_of_the_group(tmp_path: Path) -> None:
    trained = train_offline(tmp_path, "first")
    tracker = make_tracker(tmp_path, "publish")
    tracker.close(ValueError("no template at https://h/x?token=hidden"))
    failed = run_index(tmp_path)
    assert failed["group"] == trained["group"]
    assert [run["state"] for run in failed["runs"]] == ["finished", "failed"]
    records = records_of(tmp_path / failed["runs"][1]["folder"])
    assert merged(records, "summary")["error"] == "ValueError: no template at https://h/x?***"


def test_a_failure_after_publishing_opens_no_second_run(tmp_path: Path) -> None:
    tracker = make_tracker(tmp_path)
    train(tracker)
    tracker.publish(publication())
    tracker.close(ValueError("too late"))
    assert [run["state"] for run in run_index(tmp_path)["runs"]] == ["finished"]
