"""Nodes of the pipeline `repeat`: each repetition is a `kedro run` in a data folder of its own."""

import ctypes
import hashlib
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
import pandas as pd
import yaml
from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from mnist_localization.config.results import RepeatSettings
from mnist_localization.datasets.session import Session
from mnist_localization.errors import LocalizationError
from mnist_localization.evaluation.repetitions import differing, markdown_table, summarize
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.files import write_text
from mnist_localization.runtime import machine_text

logger = logging.getLogger(__name__)

_STAGES = "fetch,annotate,split,train,evaluate"
# Sections without influence on a training and its scores.
_IRRELEVANT = ("wandb", "publish", "predict", "export", "compare", "repeat", "check")
_SHOWN_LINES = 15
_GRACE_S = 10.0
_PR_SET_PDEATHSIG = 1


class Repetition(NamedTuple):
    """One repetition.

    Attributes:
        name: The values that differ between the repetitions.
        facts: Architecture, seeds and fold.
        params: Run-time parameters.
        place: Path or URL of its data folder.
        log: File of its log.
    """

    name: str
    facts: dict[str, Any]
    params: dict[str, Any]
    place: str
    log: Path


def repeat_trainings(
    settings: RepeatSettings, parameters: dict[str, Any], session: Session, data_folder: Path
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Train and evaluate once for each combination of the settings.

    A repetition that has been evaluated before is not run again.

    Args:
        settings: The section `repeat`.
        parameters: All parameters.
        session: Environment and run-time parameters of this `kedro run`.
        data_folder: Local path of the data folder, for the logs.

    Returns:
        The tables `repetitions` and `repetition_summary`, and the same as Markdown.

    Raises:
        LocalizationError: A repetition failed; those before it are kept.
    """
    repetitions = plan(settings, to_jsonable_python(parameters), session, data_folder)
    rows = []
    for number, repetition in enumerate(repetitions, start=1):
        shown = f"Repetition {number} of {len(repetitions)}, {repetition.name}"
        metrics = _read_metrics(repetition.place)
        if metrics is None:
            logger.info("%s: log in %s", shown, repetition.log)
            _run(repetition, session)
            metrics = _read_metrics(repetition.place)
            if metrics is None:
                raise LocalizationError(f"{shown} has saved no metrics; see {repetition.log}")
        if not settings.keep:
            _remove(f"{repetition.place}/05_model_input")
        rows.append(_row(repetition, metrics))
        logger.info("%s: %s.", shown, metrics.headline_text())
    table = pd.DataFrame(rows)
    caption = f"`{session.command()}`, {datetime.now(UTC):%Y-%m-%d}, {machine_text()}."
    text = markdown_table(table, caption)
    logger.info("Repetitions:\n%s", text)
    return table, summarize(table), text


def plan(
    settings: RepeatSettings, parameters: Mapping[str, Any], session: Session, data_folder: Path
) -> list[Repetition]:
    """Return all combinations of the settings, in the order of the lists."""
    folds = [f"{fold}/{settings.folds}" for fold in range(1, settings.folds + 1)]
    values = {
        "architecture": settings.architectures or [parameters["train"]["architecture"]],
        "dataset_seed": settings.dataset_seeds or [parameters["fetch"]["synthetic"]["seed"]],
        "fold": folds or [parameters["split"]["fold"]],
        "seed": settings.seeds or [parameters["seed"]],
    }
    facts = [dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())]
    relevant = {key: value for key, value in parameters.items() if key not in _IRRELEVANT}
    relevant["files"] = _state_of_files(parameters["fetch"])
    planned = []
    for name, each in zip(differing(facts), facts, strict=True):
        changes = {
            "seed": each["seed"],
            "train": {"architecture": each["architecture"]},
            "fetch": {"synthetic": {"seed": each["dataset_seed"]}},
            "split": {"fold": each["fold"]},
        }
        # The hash is of all that determines the scores, so that a changed parameter or file, and
        # nothing else, makes a new folder.
        content = json.dumps(_merged(relevant, changes), sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:8]
        folder = f"09_repetitions/{each['architecture']}-seed-{each['seed']}-{digest}"
        place = f"{session.data}/{folder}"
        changes |= {"data": place, "raw": session.raw, "wandb": {"mode": "disabled"}}
        params = _merged(session.runtime_params, changes)
        planned.append(Repetition(name, each, params, place, data_folder / folder / "run.log"))
    return planned


def _state_of_files(fetch: Mapping[str, Any]) -> str:
    """Return a hash of names, sizes and times of the user's own files; empty for other sources."""
    if fetch["source"] != "folder" or not (folder := fetch["folder"]["path"]):
        return ""
    files, path = fsspec.url_to_fs(folder)
    digest = hashlib.sha256()
    for name, facts in sorted(files.find(path, detail=True).items()):
        changed = facts.get("mtime") or facts.get("ETag") or facts.get("LastModified")
        digest.update(f"{name}\0{facts['size']}\0{changed}\n".encode())
    return digest.hexdigest()


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values, of which the second ones come first."""
    merged = {**first, **second}
    for key in first.keys() & second.keys():
        if isinstance(first[key], Mapping) and isinstance(second[key], Mapping):
            merged[key] = _merged(first[key], second[key])
    return merged


def _run(repetition: Repetition, session: Session) -> None:
    """Execute a repetition in a process of its own, which ends with this one."""
    # A file, because values with commas cannot be given on the command line.
    config = repetition.log.with_name("run.yml")
    run = {"pipelines": _STAGES, "params": repetition.params}
    write_text(config, yaml.safe_dump({"run": run}))
    command = [sys.executable, "-m", "kedro", "run", f"--config={config}"]
    command += [f"--env={session.env}"] if session.env else []
    started = time.monotonic()
    with repetition.log.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=session.project,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )
        try:
            code = process.wait()
        finally:
            _end(process)
    if code:
        lines = repetition.log.read_text("utf-8", "replace").splitlines()[-_SHOWN_LINES:]
        raise LocalizationError(
            f"the repetition {repetition.name} failed after {time.monotonic() - started:.0f} s; "
            f"correct the cause and run the same command again, which keeps the others. The end "
            f"of {repetition.log}:\n  " + "\n  ".join(lines)
        )


def _end_with_parent() -> None:
    """Let the system end this process if its parent is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, if they are still running."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            continue


def _read_metrics(place: str) -> Metrics | None:
    """Return the metrics in a data folder or URL, or `None` if there are none."""
    try:
        with fsspec.open(f"{place}/08_reporting/metrics.json") as file:
            return Metrics.model_validate_json(file.read())
    except (FileNotFoundError, ValidationError):
        return None


def _row(repetition: Repetition, metrics: Metrics) -> dict[str, Any]:
    history = pd.read_parquet(f"{repetition.place}/08_reporting/training_history.parquet")
    return {
        "repetition": repetition.name,
        **repetition.facts,
        "run": metrics.run,
        "epochs": len(history),
        "seconds": float(history["seconds"].sum()),
        **metrics.scores,
    }


def _remove(place: str) -> None:
    """Remove a folder, locally or on an object store."""
    files, path = fsspec.url_to_fs(place)
    if files.exists(path):
        files.rm(path, recursive=True)
