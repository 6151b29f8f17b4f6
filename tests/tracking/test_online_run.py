"""The real client against a server on loopback; assertions are on what arrived there."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist_localization.tracking import Publication, Receipt, Tracker
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

# Limit of all waits for a server, and time for the work of this project on a busy machine.
LIMIT_S = 3.0
SLACK_S = 6.0
SHORT: dict[str, Any] = {"settings": {"timeout_s": LIMIT_S}}


def test_a_training_is_online_from_its_start(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    tracker = make_tracker(tmp_path, "train")
    train(tracker, epochs=0)
    (run,) = account.runs
    assert f"W&B run {run}: {account.url}/{ENTITY}/boxes/runs/{run}" in caplog.text
    tracker.log_epoch(1, {"loss": 1.0}, [record(1)], CLASS_NAMES)
    assert eventually(lambda: overlays_arrived(account))
    assert run not in account.exit_codes
    tracker.log_epoch(2, {"loss": 0.5})
    tracker.close()
    assert [row["epoch/loss"] for row in account.history(run)] == [1.0, 0.5]
    assert account.exit_codes == {run: 0}
    (entry,) = index_of(tmp_path)["runs"]
    assert entry["uploaded"] is True


def test_an_online_run_arrives_completely(published: Published) -> None:
    receipt, server = published.receipt, published.server
    (listed,) = receipt.runs
    assert receipt.mode == "online"
    assert receipt.sync_command is None
    assert listed.url == f"{server.url}/{ENTITY}/boxes/runs/{listed.id}"
    run = server.runs[listed.id]
    assert run["groupName"] == receipt.group
    assert run["jobType"] == "pipeline"
    assert json.loads(run["config"])["train"]["value"] == {"epochs": 2}

    rows = server.history(listed.id)
    assert [row.get("epoch/epoch") for row in rows] == [1, 2, None]
    drawn = [path for row in rows for path in paths_of_boxes(row)]
    # The sample of two epochs, then five images, one of which is in two galleries.
    assert len(drawn) == 2 * 2 * 2 + 6 * 2
    for path in drawn:
        boxes = json.loads(server.files[f"runs/{listed.id}/{path}"])
        assert boxes["class_labels"]["2"] == "<script>"
    assert server.exit_codes == {listed.id: 0}
    assert_model_arrived(server)


def test_the_report_shows_the_group(published: Published) -> None:
    receipt = published.receipt
    ((identity, report),) = published.server.reports.items()
    assert receipt.report_url is not None
    assert receipt.report_url.startswith(f"{published.server.url}/{ENTITY}/boxes/reports/")
    assert receipt.report_url.endswith(identity)
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
        assert receipt.group in json.dumps(grid["metadata"]["runSets"][0]["filters"])


def test_the_key_is_nowhere_on_disk_or_in_the_log(published: Published) -> None:
    server = published.server
    assert server.keys == {KEY}
    assert "W&B run" in published.log
    assert KEY not in published.log
    assert KEY not in published.receipt.model_dump_json()
    for path in published.root.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    config = json.loads(server.runs[published.receipt.runs[0].id]["config"])
    assert config["note"] == {"value": "the key is ***"}
    assert config["fetch"]["value"]["base_url"] == "http://***@host/data"


def test_all_files_of_the_client_are_inside_the_project_folder(published: Published) -> None:
    assert list((published.root / "home").iterdir()) == []
    assert sorted(path.name for path in published.root.iterdir()) == ["data", "home"]


def test_publishing_again_updates_the_report_and_replaces_a_deleted_one(
    tmp_path: Path, account: StubServer
) -> None:
    first = run_all(tmp_path, settings={"entity": "team"})
    again = make_tracker(tmp_path, "publish", settings={"entity": "team"}).publish(publication())
    assert again.unchanged is True
    assert again.report_url == first.report_url
    assert len(account.runs) == 1
    assert len(account.reports) == 1
    assert account.count("upsertView") == 2

    account.reports.clear()
    make_tracker(tmp_path, "publish", settings={"entity": "team"}).publish(publication())
    assert len(account.reports) == 1

    assert {run["entity"] for run in account.runs.values()} == {"team"}
    assert "/team/boxes/runs/" in str(first.runs[0].url)
    assert {report["entityName"] for report in account.reports.values()} == {"team"}


def test_offline_stages_are_uploaded_by_publishing_with_a_key(
    tmp_path: Path, server: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = make_tracker(tmp_path, "train")
    train(training)
    training.close()
    offline = make_tracker(tmp_path, "publish").publish(publication())
    assert offline.mode == "offline"
    assert server.calls == []

    log_in(monkeypatch, server)
    online = make_tracker(tmp_path, "publish").publish(publication())

    assert online.unchanged is True
    assert online.mode == "online"
    assert [run.id for run in online.runs] == [run.id for run in offline.runs]
    assert {run["groupName"] for run in server.runs.values()} == {online.group}
    assert [len(server.history(run.id)) for run in online.runs] == [2, 1]
    assert all(run.url for run in online.runs)
    assert online.report_url
    assert_model_arrived(server)


def test_a_killed_run_is_uploaded_later(
    tmp_path: Path, account: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """List a run that nobody closed in the run index, and keep its rows."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracker = make_tracker(tmp_path, "train")
    train(tracker)
    tracker.close()
    index = index_of(tmp_path)
    index["runs"][0].update(state="open", pid=2**22 + 1)
    (tmp_path / FOLDER / "runs.json").write_text(json.dumps(index))

    monkeypatch.delenv("WANDB_MODE")
    receipt = make_tracker(tmp_path, "publish").publish(publication())
    assert len(account.history(receipt.runs[0].id)) == 2
    assert receipt.report_url


def test_a_refused_key_is_logged_once_and_costs_nothing(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    account.refuses_key = True
    receipt = run_all(tmp_path)
    assert_offline(receipt, caplog)
    assert f"cannot open the run at {account.url} (user is not logged in)" in caplog.text
    assert_later(tmp_path, account, receipt)


def test_a_malformed_key_is_logged_once_without_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "too-short")
    assert_offline(run_all(tmp_path), caplog)
    assert "the API key is not valid" in caplog.text
    assert "too-short" not in caplog.text


def test_an_unreachable_server_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with limited():
        receipt = run_all(tmp_path, **SHORT)
    assert_offline(receipt, caplog)
    assert "cannot open the run at http://127.0.0.1:9" in caplog.text


@pytest.mark.parametrize(
    ("trouble", "value"),
    [("stall", ("/",)), ("stall", ("/files", "/storage")), ("is_down", True), ("drops", True)],
    ids=["stalls", "stalls-at-uploads", "fails", "drops"],
)
def test_a_server_in_trouble_from_the_start_costs_a_limited_time(
    tmp_path: Path,
    account: StubServer,
    caplog: pytest.LogCaptureFixture,
    trouble: str,
    value: Any,
) -> None:
    setattr(account, trouble, value)
    with limited():
        receipt = run_all(tmp_path, **SHORT)
    assert_offline(receipt, caplog)
    if trouble == "stall":
        assert_later(tmp_path, account, receipt)


@pytest.mark.parametrize("trouble", ["refuses_key", "stalls"])
def test_a_server_in_trouble_during_the_training_loses_nothing(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    tracker = make_tracker(tmp_path, settings={"timeout_s": 2 * LIMIT_S})
    train(tracker, epochs=1)
    assert eventually(lambda: overlays_arrived(account))
    setattr(account, *(("stall", ("/",)) if trouble == "stalls" else (trouble, True)))
    assert log_more_epochs(tracker) < 2.0, "training does not wait for the server"
    trained = publication(losses=[1 / epoch for epoch in (1, 2, 3, 4)])
    with limited(2 * LIMIT_S):
        receipt = tracker.publish(trained)
    assert_offline(receipt, caplog)

    account.is_down = account.refuses_key = False
    assert_later(tmp_path, account, receipt, trained)
    rows = [row for run in receipt.runs for row in account.history(run.id)]
    assert [row.get("epoch/epoch") for row in rows if "epoch/loss" in row] == [1, 2, 3, 4]
    assert any("gallery/worst" in row for row in rows)


@pytest.mark.parametrize("operation", ["CommitArtifact", "ArtifactType", "Run"])
def test_a_server_that_stalls_at_an_operation_costs_a_limited_time(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture, operation: str
) -> None:
    account.stall_on = {operation}
    with limited():
        receipt = run_all(tmp_path, **SHORT)
    assert_offline(receipt, caplog)


def test_a_server_that_stalls_when_the_report_is_saved(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    account.stall_on = {"GetProjects"}
    with limited(2 * LIMIT_S):
        receipt = run_all(tmp_path, settings={"timeout_s": 2 * LIMIT_S})
    assert receipt.report_url is None
    assert "kedro run --pipelines=publish" in str(receipt.sync_command)
    assert len(warnings_of(caplog)) == 1
    account.stall_on = set()
    assert make_tracker(tmp_path, "publish").publish(publication()).report_url


def test_a_training_that_is_closed_while_the_server_stalls_costs_a_limited_time(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = make_tracker(tmp_path, "train", settings={"timeout_s": 2 * LIMIT_S})
    train(tracker)
    account.stall = ("/",)
    with limited(2 * LIMIT_S):
        tracker.close()
    assert len(warnings_of(caplog)) == 1
    account.stall = ()
    receipt = make_tracker(tmp_path, "publish").publish(publication())
    assert [len(account.history(run.id)) for run in receipt.runs] == [2, 1]
    assert receipt.mode == "online"


def test_an_artifact_that_the_server_rejects_is_uploaded_later(
    tmp_path: Path, account: StubServer
) -> None:
    account.rejects = {"CommitArtifact"}
    receipt = run_all(tmp_path)
    assert receipt.sync_command is not None
    assert not all(run["uploaded"] for run in index_of(tmp_path)["runs"])
    account.rejects = set()
    assert_later(tmp_path, account, receipt)


def index_of(root: Path) -> dict[str, Any]:
    index: dict[str, Any] = json.loads((root / FOLDER / "runs.json").read_text())
    return index


def log_in(monkeypatch: pytest.MonkeyPatch, server: StubServer) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)


class limited:  # noqa: N801
    """Context that asserts a limit of its duration."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        took = time.monotonic() - self._started
        print(f"took {took:.1f} s of {self._limit_s} s")
        assert took < self._limit_s + SLACK_S


def eventually(holds: Callable[[], bool], limit_s: float = 60.0) -> bool:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False


def overlays_arrived(server: StubServer) -> bool:
    return any("boxes2D/epoch" in path for path in list(server.files))


def log_more_epochs(tracker: Tracker) -> float:
    """Log three more epochs; return the seconds of the slowest."""
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
    models = {
        identity
        for identity, artifact in server.artifacts.items()
        if artifact["artifactTypeName"] == "model" and artifact["state"] == "COMMITTED"
    }
    identity = max(models)
    aliases = {alias["alias"] for alias in server.artifacts[identity]["aliases"]}
    assert {"latest", "data-01234567"} < aliases
    stored = {
        path.removeprefix(f"artifacts/{identity}/"): data
        for path, data in server.files.items()
        if path.startswith(f"artifacts/{identity}/")
    }
    assert stored["localizer.keras"].startswith(b"keras:")
    assert json.loads(stored["metrics.json"]) == metrics().model_dump(mode="json")
    assert "predictions.parquet" in stored
    tables = [one for one in server.artifacts.values() if one["artifactTypeName"] == "run_table"]
    assert [table["state"] for table in tables].count("COMMITTED") >= 2


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    # pytest also captures the log of the client, which goes into the folder of the run only.
    own = [one for one in caplog.records if one.name.startswith("mnist_localization")]
    return [one.getMessage() for one in own if one.levelno >= logging.WARNING]


def assert_offline(receipt: Receipt, caplog: pytest.LogCaptureFixture) -> None:
    assert receipt.mode == "offline"
    assert receipt.report_url is None
    assert {run.url for run in receipt.runs} == {None}
    assert "kedro run --pipelines=publish" in str(receipt.sync_command)
    assert len(warnings_of(caplog)) == 1, warnings_of(caplog)


def assert_later(
    root: Path, server: StubServer, receipt: Receipt, trained: Publication | None = None
) -> None:
    """Assert that publishing again, when the server works, uploads everything."""
    server.refuses_key = server.is_down = server.drops = False
    server.stall = ()
    later = make_tracker(root, "publish").publish(trained or publication())
    assert later.mode == "online"
    assert [run.id for run in later.runs] == [run.id for run in receipt.runs]
    assert all(run.url for run in later.runs)
    assert later.report_url
    assert_model_arrived(server)
