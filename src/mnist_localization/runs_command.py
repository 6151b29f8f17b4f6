"""Command `kedro runs`: list, show, promote and remove kept runs."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pandas as pd
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog

from mnist_localization.errors import LocalizationError
from mnist_localization.evaluation.metrics import all_metrics
from mnist_localization.evaluation.runs import RunRecord, load_records
from mnist_localization.files import remove
from mnist_localization.models.runs import RunFacts, Runs
from mnist_localization.storage import Store, is_stored

_MEBIBYTE = 2**20
# Options of `kedro run` that choose the data folder.
_OPTIONS = [option for option in kedro_run.params if option.name in ("env", "params")]
# Folders below the data folder whose sizes are shown.
_FOLDERS = {
    "kept runs": "06_models/runs",
    "checkpoints": "06_models/checkpoints",
    "decoded images": "05_model_input",
    "W&B files": "08_reporting/wandb",
}


@click.group(name="runs")
def runs() -> None:
    """List, show, promote and remove the kept runs of a data folder."""


def _command(function: Callable[..., None]) -> click.Command:
    """Return a command of the group, which gets the catalog as its first argument."""

    @click.pass_obj
    @functools.wraps(function)
    def call(metadata: Any, /, env: str | None, params: dict[str, Any], **options: Any) -> None:
        project = Path(metadata.project_path) if metadata is not None else Path.cwd()
        try:
            with KedroSession.create(project, env=env, runtime_params=params) as session:
                session_context: Any = session
                function(session_context.load_context().catalog, **options)
        except LocalizationError as error:
            raise click.ClickException(str(error)) from None

    command = click.command(name=function.__name__.removesuffix("_runs"))(call)
    command.params += _OPTIONS
    runs.add_command(command)
    return command


@_command
def list_runs(catalog: DataCatalog) -> None:
    """List the kept runs, the last training at the end, and the disk use."""
    kept: Runs = catalog.load("runs")
    scores = {record.run: record.scores for record in _records(catalog)}
    metrics = [metric for metric in all_metrics() if metric.headline]
    marks = {kept.latest(): "latest"}
    best = kept.promotion().run
    marks[best] = f"{marks[best]}, best" if best in marks else "best"
    rows = [
        {
            "run": facts.run,
            "trained": facts.trained_at.replace("T", " ")[:16],
            "seed": facts.training.seed,
            "images": facts.training.train_images,
            "epochs": facts.epochs,
            **{metric.title: scores.get(facts.run, {}).get(metric.key) for metric in metrics},
            "MiB": f"{kept.size(facts.run) / _MEBIBYTE:.1f}",
            "": marks.get(facts.run, ""),
        }
        for facts in kept.all_facts()
    ]
    if rows:
        click.echo(pd.DataFrame(rows).to_string(index=False, na_rep="-", float_format="%.4f"))
    else:
        click.echo("No runs; train one with: kedro run")
    click.echo(f"Disk use: {_disk_use(catalog)}")


@_command
@click.argument("name")
def show_runs(catalog: DataCatalog, name: str) -> None:
    """Show the facts about a run, and the command that repeats it."""
    kept: Runs = catalog.load("runs")
    facts = kept.facts(name)
    for key, value in _described(facts):
        click.echo(f"{key + ':':<22}{value}")
    for record in (each for each in _records(catalog) if each.run == facts.run):
        click.echo(f"Scores on {record.dataset.split} split {record.dataset.fingerprint:.12}:")
        for metric in all_metrics():
            if metric.key in record.scores:
                click.echo(f"  {metric.title:<28}{record.scores[metric.key]:.4f}")
    click.echo("Repeat:")
    if facts.git_commit:
        note = "  # tracked files had been changed" if facts.git_dirty else ""
        click.echo(f"  git checkout {facts.git_commit}{note}")
    click.echo(f"  {facts.command or 'kedro run'}")


@_command
@click.argument("name")
def promote_runs(catalog: DataCatalog, name: str) -> None:
    """Make a run the best, for evaluate.model=best and the like."""
    kept: Runs = catalog.load("runs")
    old = kept.promotion().run
    new = kept.promote(name)
    click.echo(f"Best run: {new}" + (f" (before: {old})" if old and old != new else ""))


@_command
def rollback_runs(catalog: DataCatalog) -> None:
    """Make the run the best that was before the last promotion."""
    kept: Runs = catalog.load("runs")
    click.echo(f"Best run: {kept.roll_back()}")


@_command
@click.option("--keep", default=5, show_default=True, help="Number of newest runs to keep.")
@click.option("--yes", is_flag=True, help="Remove the listed runs.")
def prune_runs(catalog: DataCatalog, keep: int, yes: bool) -> None:
    """Remove old runs with their evaluations; the latest and the best run are never removed."""
    kept: Runs = catalog.load("runs")
    names = [facts.run for facts in kept.all_facts()]
    old = names[: len(names) - max(keep, 0)]
    removed = [name for name in old if name not in kept.protected()]
    total = 0
    for name in removed:
        size = kept.size(name)
        total += size
        click.echo(f"{name}  {size / _MEBIBYTE:.1f} MiB")
    if yes:
        for name in removed:
            kept.remove(name)
            _remove_evaluations(catalog, name)
    action = "Removed" if yes else "Would remove"
    hint = "" if yes or not removed else "; add --yes to remove them"
    click.echo(f"{action} {len(removed)} of {len(names)} runs, {total / _MEBIBYTE:.1f} MiB{hint}")


def _described(facts: RunFacts) -> Iterator[tuple[str, Any]]:
    training = facts.training
    yield "Run", facts.run
    yield "Trained", f"{facts.trained_at}, {facts.epochs} epochs"
    yield "Architecture", f"{training.architecture}, seed {training.seed}"
    yield "Training images", training.train_images
    yield "Validation images", training.validation_images
    yield "Source", training.source
    yield "Training split", training.train_fingerprint
    yield "Validation split", training.validation_fingerprint
    yield "Weights", facts.model_fingerprint


def _records(catalog: DataCatalog) -> list[RunRecord]:
    """Return the evaluations of all runs, the last one at the end."""
    is_there = catalog.exists("run_history")
    return load_records(catalog.load("run_history")) if is_there else []


def _disk_use(catalog: DataCatalog) -> str:
    data: Any = catalog["data_folder"]
    sizes = {name: _size(data.folder.path / folder) for name, folder in _FOLDERS.items()}
    return ", ".join(f"{name} {size / _MEBIBYTE:,.0f} MiB" for name, size in sizes.items())


def _size(folder: Path) -> int:
    files = (file for file in folder.rglob("*") if not file.is_symlink())
    return sum(file.stat().st_size for file in files if file.is_file())


def _remove_evaluations(catalog: DataCatalog, name: str) -> None:
    history: Any = catalog["run_history"]
    place = f"{history._path}/{name}"
    if is_stored(place):
        store = Store(place)
        for each in store.names():
            store.remove(each)
    else:
        remove(Path(place))
