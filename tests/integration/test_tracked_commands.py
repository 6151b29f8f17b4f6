"""`kedro run` in a small project of its own: when a run is opened, and how it is closed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.small_publications import merged, of_type, records_of

PYPROJECT = """
[tool.kedro]
package_name = "tiny"
project_name = "tiny"
kedro_init_version = "1.7.0"
source_dir = "src"
"""

SETTINGS = """
from mnist_localization.tracking import TrackingHooks

HOOKS = (TrackingHooks(),)
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)
"""

REGISTRY = """
import os
import time

from kedro.pipeline import Node, Pipeline


def fetch():
    if os.environ.get("TINY_FETCHING") == "fails":
        raise ValueError("no such source")
    return "card"


def train(card, tracker):
    tracker.start_training({"dataset_card": card}, key="k")
    tracker.log_epoch(1, {"loss": 1.0})
    how = os.environ.get("TINY_TRAINING")
    if how == "fails":
        raise ValueError("broken by http://me:secretword@host/")
    if how == "lasts":
        print("TRAINING", flush=True)
        time.sleep(60)
    tracker.end_training()
    return "model"


def evaluate(model, tracker):
    tracker.log_scores({"mean_iou": 0.5})
    return "metrics"


def register_pipelines():
    stages = {
        "fetch": Pipeline([Node(fetch, None, "card", tags="fetch")]),
        "train": Pipeline([Node(train, ["card", "tracker"], "model", tags="train")]),
        "evaluate": Pipeline([Node(evaluate, ["model", "tracker"], "metrics", tags="evaluate")]),
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
  timeout_s: 5.0
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


def kedro_run(project: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kedro", "run", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=60)
    return said


def run_index(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project / "data/wandb/runs.json").read_text())
    return found


def only_run(project: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    (entry,) = run_index(project)["runs"]
    return entry, records_of(project / entry["folder"])


def test_stages_that_track_nothing_open_no_run(project: Path) -> None:
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
    """Records of the one run of a command that has to fail, which has to be marked failed."""
    finished(process)
    assert process.returncode != 0
    entry, records = only_run(project)
    assert entry["job_type"] == job_type
    assert entry["state"] == "failed"
    assert of_type(records, "exit")[0]["exit_code"] == 1
    return records


def test_a_failed_stage_marks_the_run_failed_and_says_why(project: Path) -> None:
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
def test_a_failed_stage_that_tracks_nothing_opens_a_run_only_beside_one_that_does(
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


def test_scores_of_a_training_that_was_not_tracked_get_a_group_of_their_own(
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


def test_a_killed_training_goes_on_in_its_group(project: Path) -> None:
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
    anew = run_index(project)
    assert anew["group"] != group
    assert len(anew["runs"]) == 1


def test_disabled_really_does_nothing(project: Path) -> None:
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
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert "LOADED []" in done.stdout
    assert not (project / "data/wandb").exists()


def test_a_wrong_key_in_the_section_is_named(project: Path) -> None:
    process = kedro_run(project, "--pipelines=evaluate", "--params=wandb.modus=offline")
    said = finished(process)
    assert process.returncode != 0
    assert "section `wandb`" in said
    assert "modus" in said


def _read_until(process: subprocess.Popen[str], wanted: str) -> None:
    assert process.stdout is not None
    until = time.monotonic() + 60
    for line in process.stdout:
        if wanted in line:
            return
        assert time.monotonic() < until
    raise AssertionError(f"{wanted} was never said")
