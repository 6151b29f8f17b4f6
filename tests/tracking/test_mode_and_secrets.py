"""Which mode a run has, where the key is found, and that it is never seen."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.io import DatasetError, SharedMemoryDataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import ParallelRunner

from mnist_localization.datasets import TrackerDataset
from mnist_localization.tracking.redaction import Redactor
from mnist_localization.tracking.report_text import result_text, task_text
from mnist_localization.tracking.run_context import RunContext, job_type_of
from mnist_localization.tracking.run_index import (
    RunEntry,
    RunIndex,
    read_run_index,
    write_run_index,
)
from mnist_localization.tracking.server import find_server
from support.dataset_cards import make_card
from support.small_publications import make_tracker, metrics, publication, settings, train
from support.wandb_stub import KEY, StubServer


@pytest.mark.parametrize(
    ("parameter", "variable", "mode"),
    [
        ("auto", "", "auto"),
        ("auto", "offline", "offline"),
        ("auto", "disabled", "disabled"),
        ("auto", "nonsense", "auto"),
        ("offline", "online", "offline"),
        ("online", "disabled", "online"),
    ],
)
def test_the_parameter_wins_unless_it_is_auto(
    monkeypatch: pytest.MonkeyPatch, parameter: str, variable: str, mode: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", variable)
    assert RunContext(settings=settings(mode=parameter)).mode == mode


@pytest.mark.parametrize(
    ("tags", "job_type"),
    [
        ({"fetch", "split"}, None),
        ({"train"}, "train"),
        ({"fetch", "publish"}, "publish"),
        ({"train", "evaluate"}, "pipeline"),
    ],
)
def test_the_stages_name_the_job(tags: set[str], job_type: str | None) -> None:
    assert job_type_of(tags) == job_type


def test_the_key_comes_from_environment_then_kedro_then_netrc(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org:8080/")
    assert find_server({}).key == ""
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "machine elsewhere.org login user password other\n"
        "machine wandb.example.org:8080 login user password from-netrc\n"
    )
    monkeypatch.setenv("NETRC", str(netrc))
    assert find_server({}).key == "from-netrc"
    assert find_server({"api_key": "from-kedro"}).key == "from-kedro"
    monkeypatch.setenv("WANDB_API_KEY", "from-environment")
    server = find_server({"api_key": "from-kedro"})
    assert server.key == "from-environment"
    assert server.url == "https://wandb.example.org:8080"
    assert "from-environment" not in repr(server)


def test_a_malformed_netrc_is_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine \x00 what is this")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert find_server({}).key == ""


def test_a_key_among_kedros_credentials_is_used(
    tmp_path: Path, server: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    tracker = make_tracker(tmp_path, "evaluate", credentials={"api_key": KEY})
    tracker.log_scores(metrics())
    tracker.close()
    assert server.keys == {KEY}
    assert list(server.exit_codes.values()) == [0]


def test_offline_by_parameter_asks_no_server_even_with_a_key(
    tmp_path: Path, account: StubServer
) -> None:
    tracker = make_tracker(tmp_path, "evaluate", settings={"mode": "offline"})
    tracker.log_scores(metrics())
    tracker.close()
    assert account.calls == []


def test_online_without_a_key_goes_on_offline_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = make_tracker(tmp_path, "train", settings={"mode": "online"})
    train(tracker)
    tracker.close()
    said = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "no API key is configured" in said[0]


def test_disabled_gives_a_receipt_and_leaves_nothing(tmp_path: Path) -> None:
    tracker = make_tracker(tmp_path, settings={"mode": "disabled"})
    train(tracker)
    tracker.log_scores(metrics())
    receipt = tracker.publish(publication())
    assert receipt["mode"] == "disabled"
    assert receipt["runs"] == []
    tracker.close(ValueError("it failed"))
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_client_that_cannot_record_does_not_stop_the_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    train(make_tracker(tmp_path, "train"), epochs=3)
    said = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "the run goes on without" in said[0]


def test_a_configured_group_is_shared_by_all_runs(tmp_path: Path) -> None:
    training = make_tracker(tmp_path, "train", settings={"group": "mine"})
    train(training)
    training.close()
    receipt = make_tracker(tmp_path, "publish", settings={"group": "mine"}).publish(publication())
    assert receipt["group"] == "mine"
    assert len(receipt["runs"]) == 2


def test_the_command_repeats_environment_and_parameters() -> None:
    plan = RunContext(
        settings=settings(mode="auto"),
        env="test",
        runtime_params={"wandb": {"project": "my boxes", "group": None}, "seed": 3},
    )
    assert plan.publish_command() == (
        "WANDB_API_KEY=<your key> kedro run --pipeline=publish --env=test "
        "'--params=wandb.project=my boxes,wandb.group=,seed=3'"
    )


def test_the_command_leaves_out_what_publishing_does_not_take() -> None:
    sections = ("fetch", "annotate", "split", "train", "publish", "evaluate", "dataset", "export")
    runtime_params = {name: {"a": 1} for name in sections} | {"seed": 3}
    plan = RunContext(settings=settings(mode="auto"), runtime_params=runtime_params)
    _, said = plan.publish_command().split("--params=")
    assert said == "publish.a=1,evaluate.a=1,dataset.a=1,seed=3"


SECRET = "".join(["not", "-to-be", "-seen"])

plain = st.recursive(
    st.text() | st.integers() | st.booleans() | st.none() | st.just(f"before {SECRET} after"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just(SECRET), inner),
)


@given(plain)
def test_no_secret_survives_redaction(value: Any) -> None:
    assert SECRET not in json.dumps(Redactor([SECRET, ""]).value(value))


def test_telling_names_and_urls_are_redacted() -> None:
    said = {"api_key": "abc", "url": "https://me:pw@host/x?y=1 and more", "epochs": 3, "token": ""}
    assert Redactor().value(said) == {
        "api_key": "***",
        "url": "https://***@host/x?*** and more",
        "epochs": 3,
        "token": "",
    }


@pytest.mark.parametrize(
    ("said", "recorded"),
    [
        ("at https://h/x?token=hidden&y=1#z, no", "at https://h/x?*** no"),
        ("https://h/x?hidden", "https://h/x?***"),
        ("url: /x?token=hidden (no route)", "url: /x?*** (no route)"),
        ("<a href='https://h/?sig=hidden'>", "<a href='https://h/?***>"),
        ("./photos/?.png", "./photos/?.png"),
        ("really? https://h/x", "really? https://h/x"),
        ("https://h/x?***", "https://h/x?***"),
    ],
)
def test_the_query_of_a_url_is_cut_out(said: str, recorded: str) -> None:
    assert Redactor().text(said) == recorded


def test_a_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    run_index = RunIndex("group", runs=[RunEntry("id", "train", "folder", state="finished")])
    write_run_index(run_index, tmp_path / "runs.json")
    assert read_run_index(tmp_path / "runs.json") == run_index
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["runs.json"]


def test_outside_of_a_kedro_run_the_dataset_records_nothing(tmp_path: Path) -> None:
    dataset = TrackerDataset(path=str(tmp_path / "wandb"))
    tracker = dataset.load()
    assert tracker.is_disabled
    train(tracker)
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="can only be the input of a node"):
        dataset.save("anything")


def test_a_run_is_not_split_over_processes(tmp_path: Path) -> None:
    catalog = SharedMemoryDataCatalog({"tracker": TrackerDataset(path=str(tmp_path / "wandb"))})
    pipeline = Pipeline([Node(len, "tracker", "length", name="length")])
    with pytest.raises(AttributeError, match=r"multiprocessing: \['tracker'\]"):
        ParallelRunner().run(pipeline, catalog)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"group": "g"}', '{"runs": [{"what": 1}]}'])
def test_a_ledger_that_cannot_be_read_is_said_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    (tmp_path / "runs.json").write_text(text)
    assert read_run_index(tmp_path / "runs.json") is None
    assert "cannot be read" in caplog.text


def test_names_from_the_dataset_stay_text_in_the_report() -> None:
    text = task_text(["a`b", "c|d", "<img>"], make_card(source="synthetic", train_images=3))
    assert "`a'b`, `c/d`, `<img>`" in text
    assert "stand-in" in text


def test_the_report_puts_the_scores_beside_the_baselines() -> None:
    lines = result_text(metrics()).splitlines()
    assert lines[0] == "| score | `model` | `mean_box` |"
    assert "| Mean IoU | 0.4000 | 0.0995 |" in lines
