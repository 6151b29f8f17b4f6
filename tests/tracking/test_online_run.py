"""The real client against a server on loopback: assertions are on what arrived there."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist_localization.tracking.publication import Publication
from mnist_localization.tracking.tracker import Tracker
from support.small_publications import (
    CLASS_NAMES,
    FOLDER,
    Published,
    make_tracker,
    metrics,
    publication,
    record,
    run_all,
    train,
)
from support.wandb_stub import ENTITY, KEY, StubServer

# A server that does not answer may cost this much; what comes on top is work of ours.
LIMIT_S = 2.0
SLACK_S = 6.0
SHORT = {"settings": {"timeout_s": LIMIT_S}}


def test_a_training_can_be_watched_while_it_goes_on(tmp_path: Path, account: StubServer) -> None:
    tracker = make_tracker(tmp_path, "train")
    tracker.start_training({})
    tracker.log_epoch(1, {"loss": 1.0}, [record(1)], CLASS_NAMES)
    assert eventually(lambda: overlays_arrived(account))
    (run,) = account.runs
    assert run not in account.exit_codes
    tracker.log_epoch(2, {"loss": 0.5})
    tracker.close()
    assert [row["epoch/loss"] for row in account.history(run)] == [1.0, 0.5]
    assert account.exit_codes == {run: 0}


def test_an_online_run_arrives_whole(published: Published) -> None:
    receipt, server = published.receipt, published.server
    (said,) = receipt["runs"]
    assert receipt["mode"] == "online"
    assert receipt["sync_command"] is None
    assert said["url"] == f"{server.url}/{ENTITY}/boxes/runs/{said['id']}"
    run = server.runs[said["id"]]
    assert run["groupName"] == receipt["group"]
    assert run["jobType"] == "pipeline"
    assert json.loads(run["config"])["train"]["value"] == {"epochs": 2}

    rows = server.history(said["id"])
    assert [row.get("epoch/epoch") for row in rows] == [1, 2, None]
    drawn = [path for row in rows for path in paths_of_boxes(row)]
    # The sample of two epochs; then five images, one of which stands in two galleries.
    assert len(drawn) == 2 * 2 * 2 + 6 * 2
    for path in drawn:
        boxes = json.loads(server.files[f"runs/{said['id']}/{path}"])
        assert boxes["class_labels"]["2"] == "<script>"
    assert server.exit_codes == {said["id"]: 0}
    assert_model_arrived(server)


def test_the_report_shows_the_group(published: Published) -> None:
    receipt = published.receipt
    ((identity, report),) = published.server.reports.items()
    assert receipt["report_url"].startswith(f"{published.server.url}/{ENTITY}/boxes/reports/")
    assert receipt["report_url"].endswith(identity)
    spec = json.dumps(report["spec"])
    for key in ("gallery/worst", "gallery/mistakes", "gallery/random", "epoch/sample"):
        assert f'"mediaKeys": ["{key}"]' in spec
    assert '"epoch/loss", "epoch/val_loss"' in spec
    assert "test/mean_iou" in spec
    assert "gallery/table" in spec
    assert "scores/confusion_matrix_table" in spec
    assert "`<script>`" in spec
    grids = [block for block in report["spec"]["blocks"] if block["type"] == "panel-grid"]
    assert len(grids) == 4
    for grid in grids:
        assert receipt["group"] in json.dumps(grid["metadata"]["runSets"][0]["filters"])


def test_the_key_is_nowhere_on_disk_or_in_the_log(published: Published) -> None:
    server = published.server
    assert server.keys == {KEY}
    assert "W&B run" in published.log
    assert KEY not in published.log
    assert KEY not in json.dumps(published.receipt)
    for path in published.root.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    config = json.loads(server.runs[published.receipt["runs"][0]["id"]]["config"])
    assert config["note"] == {"value": "the key is ***"}
    assert config["fetch"] == {"value": {"base_url": "http://***@host/data"}}


def test_publishing_again_updates_the_report_and_makes_one_where_it_was_deleted(
    tmp_path: Path, account: StubServer
) -> None:
    first = run_all(tmp_path, settings={"entity": "team"})
    again = make_tracker(tmp_path, "publish", settings={"entity": "team"}).publish(publication())
    assert again["unchanged"] is True
    assert again["report_url"] == first["report_url"]
    assert len(account.runs) == 1
    assert len(account.reports) == 1
    assert account.count("upsertView") == 2

    account.reports.clear()
    make_tracker(tmp_path, "publish", settings={"entity": "team"}).publish(publication())
    assert len(account.reports) == 1

    assert {run["entity"] for run in account.runs.values()} == {"team"}
    assert "/team/boxes/runs/" in first["runs"][0]["url"]
    assert {report["entityName"] for report in account.reports.values()} == {"team"}


def test_offline_stages_are_synced_by_publishing_with_a_key(
    tmp_path: Path, server: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = make_tracker(tmp_path, "train")
    train(training)
    training.close()
    offline = make_tracker(tmp_path, "publish").publish(publication())
    assert offline["mode"] == "offline"
    assert server.calls == []

    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    online = make_tracker(tmp_path, "publish").publish(publication())

    assert online["unchanged"] is True
    assert online["mode"] == "online"
    assert [run["id"] for run in online["runs"]] == [run["id"] for run in offline["runs"]]
    assert {run["groupName"] for run in server.runs.values()} == {online["group"]}
    rows = [len(server.history(run["id"])) for run in online["runs"]]
    assert rows == [2, 1]
    assert all(run["url"] for run in online["runs"])
    assert online["report_url"]
    assert_model_arrived(server)


def test_a_killed_run_is_synced_later(
    tmp_path: Path, account: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that nobody closed is found in the run_index, and its rows are not lost."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracker = make_tracker(tmp_path, "train")
    train(tracker)
    tracker.close()
    run_index = tmp_path / FOLDER / "runs.json"
    said = json.loads(run_index.read_text())
    said["runs"][0].update(state="open", pid=2**22 + 1)
    run_index.write_text(json.dumps(said))

    monkeypatch.delenv("WANDB_MODE")
    receipt = make_tracker(tmp_path, "publish").publish(publication())
    assert len(account.history(receipt["runs"][0]["id"])) == 2
    assert receipt["report_url"]


def test_a_refused_key_is_said_once_and_costs_nothing(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    account.refuses_key = True
    receipt = run_all(tmp_path)
    assert_offline(receipt, caplog)
    assert "refuses the API key" in caplog.text
    assert_later(tmp_path, account, receipt)


def test_a_server_that_is_down_is_said_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    started = time.monotonic()
    receipt = run_all(tmp_path, **SHORT)
    assert time.monotonic() - started < LIMIT_S + SLACK_S
    assert_offline(receipt, caplog)
    assert "cannot be reached" in caplog.text


@pytest.mark.parametrize("paths", [("/",), ("/files", "/storage")], ids=["all", "uploads"])
def test_a_server_that_stalls_from_the_start_costs_a_limited_time(
    tmp_path: Path,
    account: StubServer,
    caplog: pytest.LogCaptureFixture,
    paths: tuple[str, ...],
) -> None:
    account.stall = paths
    started = time.monotonic()
    receipt = run_all(tmp_path, **SHORT)
    assert time.monotonic() - started < LIMIT_S + SLACK_S
    assert_offline(receipt, caplog)
    assert_later(tmp_path, account, receipt)


def test_a_slow_server_that_takes_the_upload_is_given_more_time(
    tmp_path: Path, account: StubServer
) -> None:
    account.pause_s = 0.2
    limit_s = 6.0
    started = time.monotonic()
    receipt = run_all(tmp_path, settings={"timeout_s": limit_s})
    assert time.monotonic() - started > limit_s
    assert receipt["mode"] == "online"
    assert_model_arrived(account)


def test_a_server_that_dies_in_mid_run_loses_nothing(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = make_tracker(tmp_path, **SHORT)
    train(tracker, epochs=1)
    assert eventually(lambda: overlays_arrived(account))
    account.is_down = True
    slowest = log_more_epochs(tracker)
    assert slowest < 2.0, "training does not wait for the server"
    trained = publication(losses=[1 / epoch for epoch in (1, 2, 3, 4)])
    started = time.monotonic()
    receipt = tracker.publish(trained)
    assert time.monotonic() - started < LIMIT_S + SLACK_S
    assert_offline(receipt, caplog)

    account.is_down = False
    assert_later(tmp_path, account, receipt, trained)
    rows = account.history(receipt["runs"][0]["id"])
    assert [row.get("epoch/epoch") for row in rows] == [1, 2, 3, 4, None]


def test_a_server_that_stalls_when_the_report_is_saved(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    account.stall_on = {"GetProjects"}
    started = time.monotonic()
    receipt = run_all(tmp_path, settings={"timeout_s": 4 * LIMIT_S})
    assert time.monotonic() - started < 4 * LIMIT_S + 2 * SLACK_S
    assert receipt["report_url"] is None
    assert "kedro run --pipeline=publish" in receipt["sync_command"]
    assert len(warnings_of(caplog)) == 1
    account.stall_on = set()
    assert make_tracker(tmp_path, "publish").publish(publication())["report_url"]


# --- helpers ------------------------------------------------------------------------------


def eventually(holds: Callable[[], bool], limit_s: float = 20.0) -> bool:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False


def overlays_arrived(server: StubServer) -> bool:
    return any("boxes2D/epoch" in path for path in list(server.files))


def log_more_epochs(tracker: Tracker) -> float:
    """Seconds that the slowest of three more epochs took to log."""
    slowest = 0.0
    for epoch in (2, 3, 4):
        started = time.monotonic()
        tracker.log_epoch(epoch, {"loss": 1 / epoch}, [record(1)], CLASS_NAMES)
        slowest = max(slowest, time.monotonic() - started)
    tracker.log_scores(metrics())
    return slowest


def paths_of_boxes(row: dict[str, Any]) -> list[str]:
    return [
        boxes["path"]
        for name, media in row.items()
        if isinstance(media, dict) and media.get("_type") == "images/separated"
        for image in media["all_boxes"]
        for boxes in image.values()
        if name
    ]


def assert_model_arrived(server: StubServer) -> None:
    (identity,) = [
        identity
        for identity, artifact in server.artifacts.items()
        if artifact["artifactTypeName"] == "model"
    ]
    artifact = server.artifacts[identity]
    assert artifact["state"] == "COMMITTED"
    assert {alias["alias"] for alias in artifact["aliases"]} == {"latest", "data-01234567"}
    stored = {
        path.removeprefix(f"artifacts/{identity}/"): data
        for path, data in server.files.items()
        if path.startswith(f"artifacts/{identity}/")
    }
    assert stored["localizer.keras"].startswith(b"keras:")
    assert json.loads(stored["metrics.json"]) == metrics().model_dump(mode="json")
    assert "predictions.parquet" in stored
    tables = [one for one in server.artifacts.values() if one["artifactTypeName"] == "run_table"]
    assert [table["state"] for table in tables] == ["COMMITTED", "COMMITTED"]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def assert_offline(receipt: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    assert receipt["mode"] == "offline"
    assert receipt["report_url"] is None
    assert [run["url"] for run in receipt["runs"]] == [None]
    assert "kedro run --pipeline=publish" in receipt["sync_command"]
    assert len(warnings_of(caplog)) == 1, warnings_of(caplog)


def assert_later(
    root: Path, server: StubServer, receipt: dict[str, Any], trained: Publication | None = None
) -> None:
    """Once the server is well, publishing again brings it everything."""
    server.refuses_key, server.stall = False, ()
    later = make_tracker(root, "publish").publish(trained or publication())
    assert later["mode"] == "online"
    assert [run["id"] for run in later["runs"]] == [run["id"] for run in receipt["runs"]]
    assert later["report_url"]
    assert_model_arrived(server)
