"""The pipeline `repeat` through its command, and after kills."""

import os
import signal
import time

import pandas as pd
import pytest

from support.project import Project

pytestmark = pytest.mark.slow
SHORT = "train.epochs=1,repeat.architectures=report2020"


def table_of(project):
    return pd.read_parquet(project.data / "08_reporting" / "repetitions.parquet")


def test_a_killed_repetition_is_completed_and_finished_ones_are_kept(tmp_path):
    project = Project.make(tmp_path / "project")
    arguments = ("--pipelines=repeat", "--params", f"repeat.seeds=1 2,{SHORT}")
    folder = project.data / "09_repetitions"

    def second_trains(_log):
        logs = folder.glob("report2020-seed-2-*/run.log")
        return any("--- train" in path.read_text() for path in logs)

    project.kill_when(second_trains, *arguments)
    ended = time.monotonic() + 30
    while running := [pid for pid in os.listdir("/proc") if is_child_of(pid, folder)]:  # noqa: PTH208
        assert time.monotonic() < ended, f"{running} outlived the killed command"
        time.sleep(0.1)
    first = next(folder.glob("report2020-seed-1-*/08_reporting/metrics.json"))
    before = first.stat().st_mtime_ns
    log = project.run(*arguments)
    assert "Repetition 2 of 2, seed-2: label accuracy" in log
    assert first.stat().st_mtime_ns == before
    assert table_of(project)["seed"].tolist() == [1, 2]
    assert not list(folder.glob("*/05_model_input"))
    text = (project.data / "08_reporting" / "repetition_table.md").read_text("utf-8")
    assert "**minimum**" in text


def is_child_of(pid: str, folder) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
            return str(folder).encode() in file.read()
    except OSError:
        return False


def test_each_fold_is_the_test_split_once(tmp_path):
    project = Project.make(tmp_path / "project")
    project.run("--pipelines=repeat", "--params", f"repeat.folds=2,{SHORT}")
    table = table_of(project)
    assert table["fold"].tolist() == ["1/2", "2/2"]
    found = []
    for path in (project.data / "09_repetitions").glob("*/07_model_output/predictions.parquet"):
        found += pd.read_parquet(path)["file"].tolist()
    assert len(found) == len(set(found)) == 256


def test_a_failing_repetition_is_one_message_with_the_end_of_its_log(tmp_path):
    project = Project.make(tmp_path / "project")
    params = f"repeat.seeds=1 2,{SHORT},train.learning_rate=1e30,train.schedule=constant"
    said = project.run("--pipelines=repeat", "--params", params, fails=True)
    assert "Error: the repetition seed-1 failed after" in said
    assert "Traceback" not in said
    assert signal.Signals.SIGKILL.name not in said
