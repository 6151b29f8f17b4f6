"""`kedro run` in a small project: when a W&B run is opened, and how it is closed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.small_publications import merged, of_type, records_of
from support.wandb_stub import ENTITY, KEY, StubServer

TESTS = Path(__file__).parents[1]

PYPROJECT = """
[tool.kedro]
package_name = "tiny"
project_name = "tiny"
kedro_init_version = "1.7.0"
source_dir = "src"
"""

SETTINGS = """
from mnist_localization.hooks import TrackingHooks

HOOKS = (TrackingHooks(),)
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)
"""

REGISTRY = """
import os
import time

from kedro.pipeline import Node, Pipeline

from mnist_localization.config.results import WandbSettings
from mnist_localization.models.provenance import Provenance
from support.dataset_cards import make_card
from support.scoring_tables import make_metrics


def fetch():
    if os.environ.get("TINY_FETCHING") == "fails":
        raise ValueError("no such source")
    return "card"


def train(card, tracker):
    tracker.start_training(make_card(), Provenance(), "k")
    tracker.log_epoch(1, {"loss": 1.0})
    how = os.environ.get("TINY_TRAINING")
    if how == "fails":
        raise ValueError("broken by http://me:secretword@host/")
    if how == "lasts":
        print("TRAINING", flush=True)
        time.sleep(60)
    tracker.end_training()
    return "model"


def evaluate(model, settings: WandbSettings, tracker):
    tracker.log_scores(make_metrics(scores={"mean_iou": 0.5}))
    return "metrics"


# Kedro replaces a section of the parameters by the model that annotates it.
EVALUATED = ["model", "params:wandb", "tracker"]


def register_pipelines():
    stages = {
        "fetch": Pipeline([Node(fetch, None, "card", tags="fetch")]),
        "train": Pipeline([Node(train, ["card", "tracker"], "model", tags="train")]),
        "evaluate": Pipeline([Node(evaluate, EVALUATED, "metrics", tags="evaluate")]),
    }
    return {**stages, "__default__": sum(stages.values(), Pipeline([]))}
"""

CATALOG = """
card: {type: json.JSONDataset, filepath: data/card.json}
model: {type: json.JSONDataset, filepath: data/model.json}
training_history: {type: pandas.CSVDataset, filepath: data/history.csv}
metrics: {type: json.JSONDataset, filepath: data/metrics.json}
tracker:
  type: mnist_localization.datasets.TrackerDataset
  path: data/wandb
"""

PARAMETERS = """
wandb:
  mode: auto
  project: boxes
  entity: ""
  group: ""
  name: ""
  tags: []
  timeout_s: 12.0
  link_to: ""
  link_aliases: []
  epoch_sample: {images: 4, every: 1, sets: [predictions]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in {
        "pyproject.toml": PYPROJECT,
        "src/tiny/__init__.py": "",
        "src/tiny/settings.py": SETTINGS,
        "src/tiny/pipeline_registry.py": REGISTRY,
        "conf/base/catalog.yml": CATALOG,
        "conf/base/parameters.yml": PARAMETERS,
        "conf/local/credentials.yml": "{}",
        "data/card.json": '"card"',
        "data/model.json": '"model"',
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def clean_environment(home: Path) -> dict[str, str]:
    """Return the environment without W&B settings, and with the helpers of the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    own = {"HOME": str(home), "NETRC": os.devnull, "PYTHONPATH": str(TESTS), "DO_NOT_TRACK": "1"}
    return kept | own


def kedro_run(project: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kedro", "run", *arguments],
        cwd=project,
        env={**clean_environment(project), "PYTHONUNBUFFERED": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=60)
    return said


def services_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the service processes of the W&B client that a finished command has left."""
    return [
        service
        for service in psutil.process_iter(["cmdline"])
        if " ".join(service.info["cmdline"] or []).endswith(f"--pid {process.pid}")
    ]


def run_index(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project / "data/wandb/runs.json").read_text())
    return found


def only_run(project: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    (entry,) = run_index(project)["runs"]
    return entry, records_of(project / entry["folder"])


def test_stages_without_tracking_open_no_run(project: Path) -> None:
    process = kedro_run(project, "--pipelines=fetch")
    said = finished(process)
    assert process.returncode == 0, said
    assert not (project / "data/wandb").exists()


def test_one_command_is_one_run(project: Path) -> None:
    process = kedro_run(project)
    said = finished(process)
    assert process.returncode == 0, said
    assert "wandb:" not in said
    entry, records = only_run(project)
    assert entry["job_type"] == "pipeline"
    assert entry["state"] == "finished"
    assert merged(records, "summary")["test/mean_iou"] == 0.5
    assert of_type(records, "exit")[0].get("exit_code", 0) == 0
    (opened,) = of_type(records, "run")
    assert opened["config"]["update"]["wandb"]["project"] == "boxes"


def records_of_failed(
    process: subprocess.Popen[str], project: Path, job_type: str
) -> list[dict[str, Any]]:
    """Return the records of the only run of a failed command, which must be marked as failed."""
    finished(process)
    assert process.returncode != 0
    entry, records = only_run(project)
    assert entry["job_type"] == job_type
    assert entry["state"] == "failed"
    assert of_type(records, "exit")[0]["exit_code"] == 1
    return records


def test_a_failed_stage_marks_the_run_as_failed_with_the_error(project: Path) -> None:
    process = kedro_run(project, "--pipelines=train", TINY_TRAINING="fails")
    records = records_of_failed(process, project, "train")
    assert merged(records, "summary")["error"] == "ValueError: broken by http://***@host/"


def test_a_stage_that_fails_before_it_logs_is_a_failed_run(project: Path) -> None:
    (project / "data/model.json").unlink()
    process = kedro_run(project, "--pipelines=evaluate", TINY_FETCHING="fails")
    records = records_of_failed(process, project, "evaluate")
    assert merged(records, "summary")["error"].startswith("DatasetError: ")
    assert "model.json" in merged(records, "summary")["error"]
    (opened,) = of_type(records, "run")
    assert opened["config"]["update"]["wandb"]["project"] == "boxes"


@pytest.mark.parametrize(("stages", "runs"), [("fetch", 0), ("fetch,train", 1)])
def test_a_failed_stage_without_tracking_opens_a_run_only_together_with_a_tracked_stage(
    project: Path, stages: str, runs: int
) -> None:
    process = kedro_run(project, f"--pipelines={stages}", TINY_FETCHING="fails")
    assert "no such source" in finished(process)
    assert process.returncode != 0
    assert (project / "data/wandb").exists() == bool(runs)
    if runs:
        entry, records = only_run(project)
        assert entry["state"] == "failed"
        assert merged(records, "summary")["error"] == "ValueError: no such source"


def test_scores_of_a_training_that_was_not_tracked_get_a_new_group(
    project: Path,
) -> None:
    finished(kedro_run(project, "--pipelines=train"))
    trained = run_index(project)
    (project / "data/history.csv").write_text("epoch,loss\n1,1.0\n")
    finished(kedro_run(project, "--pipelines=evaluate"))
    scored = run_index(project)
    assert scored["group"] == trained["group"]
    assert [run["job_type"] for run in scored["runs"]] == ["train", "evaluate"]

    (project / "data/history.csv").write_text("epoch,loss\n1,0.9\n")
    finished(kedro_run(project, "--pipelines=evaluate"))
    other = run_index(project)
    assert other["group"] != trained["group"]
    assert [run["job_type"] for run in other["runs"]] == ["evaluate"]
    assert other["earlier"] == scored["runs"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_closed(project: Path, number: signal.Signals) -> None:
    process = kedro_run(project, "--pipelines=train", TINY_TRAINING="lasts")
    _read_until(process, "TRAINING")
    process.send_signal(number)
    finished(process)
    assert process.returncode != 0
    entry, records = only_run(project)
    assert entry["state"] == "failed"
    assert of_type(records, "exit")[0]["exit_code"] == 1
    assert "interrupted" in merged(records, "summary")["error"]


def test_a_killed_training_continues_in_its_group(project: Path) -> None:
    process = kedro_run(project, "--pipelines=train", TINY_TRAINING="lasts")
    _read_until(process, "TRAINING")
    process.kill()
    finished(process)
    group = run_index(project)["group"]
    finished(kedro_run(project, "--pipelines=train"))
    resumed = run_index(project)
    assert resumed["group"] == group
    assert [run["state"] for run in resumed["runs"]] == ["killed", "finished"]

    finished(kedro_run(project, "--pipelines=train"))
    next_training = run_index(project)
    assert next_training["group"] != group
    assert len(next_training["runs"]) == 1


def test_disabled_does_not_import_wandb(project: Path) -> None:
    check = (
        "import sys, pathlib; from kedro.framework.session import KedroSession\n"
        "from kedro.framework.startup import bootstrap_project\n"
        "bootstrap_project(pathlib.Path.cwd())\n"
        "with KedroSession.create(project_path='.', runtime_params={'wandb': {'mode': 'disabled'}})"
        " as session: session.run()\n"
        "print('LOADED', sorted({'wandb', 'wandb_workspaces'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=project,
        env=clean_environment(project),
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert "LOADED []" in done.stdout
    assert not (project / "data/wandb").exists()


def test_an_unknown_key_of_the_section_is_named(project: Path) -> None:
    process = kedro_run(project, "--pipelines=train", "--params=wandb.modus=offline")
    said = finished(process)
    assert process.returncode != 0
    assert "section `wandb`" in said
    assert "modus" in said


@pytest.fixture
def server() -> Iterator[StubServer]:
    stub = StubServer()
    yield stub
    stub.close()
    assert stub.unknown == []


def account(server: StubServer) -> dict[str, str]:
    return {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}


def test_an_interrupted_online_run_is_failed_on_the_server(
    project: Path, server: StubServer
) -> None:
    process = kedro_run(project, "--pipelines=train", TINY_TRAINING="lasts", **account(server))
    _read_until(process, "TRAINING")
    (run,) = server.runs
    assert run_index(project)["runs"][0]["url"] == f"{server.url}/{ENTITY}/boxes/runs/{run}"
    process.send_signal(signal.SIGINT)
    finished(process)
    assert server.exit_codes == {run: 1}
    (entry,) = run_index(project)["runs"]
    assert entry["state"] == "failed"
    assert entry["uploaded"] is True


def test_an_interrupted_run_ends_in_a_limited_time_if_the_server_stalls(
    project: Path, server: StubServer
) -> None:
    process = kedro_run(project, "--pipelines=train", TINY_TRAINING="lasts", **account(server))
    _read_until(process, "TRAINING")
    server.stall = ("/",)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    log = finished(process)
    assert time.monotonic() - started < 12.0 + 6.0
    assert process.returncode != 0
    assert services_of(process) == []
    assert "kedro run --pipelines=publish" in " ".join(log.split())
    records = records_of(project / run_index(project)["runs"][0]["folder"])
    assert of_type(records, "exit")[0]["exit_code"] == 1
    assert "interrupted" in merged(records, "summary")["error"]


@pytest.mark.parametrize("arguments", [(), ("--env=other",)])
def test_local_credentials_are_used_with_every_environment(
    project: Path, server: StubServer, arguments: tuple[str, ...]
) -> None:
    (project / "conf/local/credentials.yml").write_text(f"wandb: {{api_key: {KEY}}}")
    (project / "conf/other").mkdir()
    process = kedro_run(project, "--pipelines=evaluate", *arguments, WANDB_BASE_URL=server.url)
    log = finished(process)
    assert process.returncode == 0, log
    assert server.keys == {KEY}
    assert list(server.exit_codes.values()) == [0]
    assert KEY not in log


def _read_until(process: subprocess.Popen[str], wanted: str) -> None:
    assert process.stdout is not None
    until = time.monotonic() + 60
    for line in process.stdout:
        if wanted in line:
            return
        assert time.monotonic() < until
    raise AssertionError(f"{wanted} was never printed")
