"""The commands about kept runs, and stages that choose one."""

import os
import re
import subprocess

import pytest

from support.project import KEDRO, Project, clean_environment

TRAIN = "--pipelines=fetch,annotate,split,train,evaluate"


def runs(project: Project, *arguments: str) -> str:
    done = subprocess.run(
        [str(KEDRO), "runs", *arguments, f"--env={project.env}"],
        cwd=project.path,
        env=clean_environment(project.path) | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a project with two trainings, and the metrics and the name of each."""
    project = Project.make(tmp_path_factory.mktemp("runs") / "project")
    found = []
    for seed in (1, 2):
        log = project.run(TRAIN, "--params", f"seed={seed},train.epochs=1,wandb.mode=disabled")
        name = re.search(r"Trained run (\S+)", log)
        found.append((name[1], (project.data / "08_reporting/metrics.json").read_bytes()))
    return project, found


@pytest.mark.slow
def test_metrics_of_an_earlier_training_are_reproduced_by_name(trained):
    project, found = trained
    # The validation split, and so the image of some baselines, depends on the seed.
    for seed, (name, metrics) in zip((1, 2), found, strict=True):
        params = f"evaluate.model={name},seed={seed},wandb.mode=disabled"
        project.run("--pipelines=split,evaluate", "--params", params)
        assert (project.data / "08_reporting/metrics.json").read_bytes() == metrics


@pytest.mark.slow
def test_runs_are_listed_promoted_rolled_back_and_removed(trained):
    project, ((first, _), (second, _)) = trained
    listed = runs(project, "list")
    assert listed.index(first) < listed.index(second)
    assert re.search(rf"{second}.* latest", listed)
    assert "Disk use: kept runs" in listed
    assert f"Best run: {first}" in runs(project, "promote", first[-8:])
    assert f"Best run: {first}" in runs(project, "promote", first)
    assert f"Best run: {second} (before: {first})" in runs(project, "promote", "latest")
    assert f"Best run: {first}" in runs(project, "rollback")
    assert "no kept run was the best before" in runs(project, "rollback")
    shown = runs(project, "show", "best")
    assert f"kedro run {TRAIN} --env=test --params=seed=1,train.epochs=1" in shown
    assert "Would remove 0 of 2 runs" in runs(project, "prune", "--keep=0")
    assert "Best run: " in runs(project, "promote", second)
    assert "Would remove 1 of 2 runs" in runs(project, "prune", "--keep=0")
    assert first in runs(project, "list")
    assert "Error: 'nothing' matches 0 runs" in runs(project, "show", "nothing")


@pytest.mark.slow
def test_a_training_that_was_killed_while_it_was_kept_is_completed(tmp_path):
    project = Project.make(tmp_path / "project")
    project.run("--pipelines=fetch,annotate,split")
    kept = project.data / "06_models" / "runs"
    project.kill_when(lambda _log: any(kept.glob(".part-*")), "--pipelines=train")
    assert "No runs" in runs(project, "list")
    log = project.run("--pipelines=train")
    assert "Resuming after epoch" in log
    name = re.search(r"Trained run (\S+)", log)[1]
    assert re.search(rf"{name}.* latest", runs(project, "list"))
    assert os.listdir(project.data / "06_models" / "checkpoints") == []  # noqa: PTH208


def test_versions_of_datasets_are_refused_with_the_remedy(tmp_path):
    project = Project.make(tmp_path / "project")
    said = project.run("--load-versions=localizer:1", fails=True)
    assert "choose a model with --params evaluate.model=NAME" in said
