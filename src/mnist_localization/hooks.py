"""Kedro hooks of the project."""

import atexit
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd
from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from mnist_localization.config.results import WandbSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.datasets.session import Session
from mnist_localization.errors import LocalizationError
from mnist_localization.evaluation.scores import Metrics, baseline_remarks
from mnist_localization.run_lock import RunLock
from mnist_localization.runtime import release_freed_memory, thread_variables
from mnist_localization.tracking import Receipt, RunContext
from mnist_localization.tracking.run_context import job_type_of

logger = logging.getLogger(__name__)

# Kedro's default environment.
_DEFAULT_ENV = "local"
_HISTORY = "training_history"
# Stages that only read the shared outputs, so that several may run at the same time.
_UNLOCKED = {"predict"}


class ProgressHooks:
    """Hooks that log the start of each stage, and at the end the seconds that each took."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._stage = ""
        self._started = 0.0

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Reset the times, because a process can run several pipelines."""
        self._seconds, self._stage = {}, ""

    @hook_impl
    def before_node_run(self, node: Any) -> None:
        """Log the stage of the node if it is a new one."""
        self._stop_clock()
        self._stage = next(iter(sorted(node.tags)), node.name)
        if self._stage not in self._seconds:
            logger.info("--- %s", self._stage)
        self._started = time.perf_counter()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Log the seconds of each stage."""
        self._stop_clock()
        times = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in self._seconds.items())
        logger.info("--- Seconds: %s", times)

    def _stop_clock(self) -> None:
        if self._stage:
            passed = time.perf_counter() - self._started
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + passed


class ProcessHooks:
    """Hooks that set up threads and memory before any stage imports TensorFlow."""

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Set the variables for this process and its child processes."""
        os.environ.update(thread_variables())
        release_freed_memory()


class StorageHooks:
    """One run at a time for each data folder, and uploads of folders after each node."""

    def __init__(self) -> None:
        self._lock: RunLock | None = None
        # Kedro calls no hook after Ctrl-C.
        atexit.register(self._release)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Lock the data folder if a stage writes to it that other runs do not write to as well."""
        self._release()
        _attach_session(run_params, pipeline, catalog)
        tags = {tag for node in pipeline.nodes for tag in node.tags}
        if "data_folder" in catalog and not tags <= _UNLOCKED:
            folder: Any = catalog["data_folder"]
            lock = RunLock(folder.folder, " ".join(["kedro", *sys.argv[1:]]))
            lock.acquire()
            self._lock = lock

    @hook_impl
    def after_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Upload the folders that the node takes and may have written to."""
        for name in node.inputs:
            if push := getattr(catalog.get(name), "push", None):
                push()

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Release the lock."""
        self._release()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """Release the lock."""
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            lock, self._lock = self._lock, None
            lock.release()


class TrackingHooks:
    """One W&B run for each `kedro run` that trains, evaluates or publishes.

    The run is closed after success, an error, Ctrl-C and SIGTERM.
    """

    def __init__(self) -> None:
        self._context: KedroContext | None = None
        self._tracker: Any = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context, which has parameters and credentials."""
        self._context = context

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Attach a tracker to the catalog if a stage of the pipeline logs to W&B."""
        job_type = job_type_of({tag for node in pipeline.nodes for tag in node.tags})
        context = self._context
        self._tracker = None
        if job_type is None or context is None or "wandb" not in context.params:
            return
        env = run_params.get("env") or _DEFAULT_ENV
        self._tracker = catalog["tracker"]
        self._tracker.attach(
            RunContext(
                settings=_settings(context),
                job_type=job_type,
                project_path=Path(context.project_path),
                # Kedro has replaced the sections by their validated models.
                parameters=to_jsonable_python(context.params),
                credentials=_credentials(context),
                env="" if env == _DEFAULT_ENV else env,
                runtime_params=run_params.get("runtime_params") or {},
                history=lambda: _saved_history(catalog),
            )
        )
        # Kedro calls no hook after Ctrl-C and SIGTERM; the tracker closes its run at exit.
        _replace_sigterm(signal.SIG_DFL, _exit)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Close the run."""
        self._close(None)

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Close the run as failed."""
        self._close(error)

    def _close(self, error: Exception | None) -> None:
        try:
            if self._tracker is not None:
                self._tracker.close(error)
        finally:
            self._tracker = None
            _replace_sigterm(_exit, signal.SIG_DFL)


class SummaryHooks:
    """Hooks that log the results of a run."""

    @hook_impl(trylast=True)
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Any, catalog: Any) -> None:
        """Log a summary of the datasets that this run has saved."""
        saved = pipeline.all_outputs()
        results = {
            name: catalog.load(name)
            for name in ("dataset_card", "metrics", "wandb_receipt")
            if name in saved
        }
        pages = [name for name in ("html_report", "check_page", "comparison_page") if name in saved]
        page = dataset_place(catalog[pages[0]], Path(run_params["project_path"])) if pages else ""
        for line in summary_lines(results, page):
            logger.info(line)


def summary_lines(results: Mapping[str, Any], page: str) -> Iterator[str]:
    """Yield the last log lines of a run.

    Args:
        results: Those of the datasets `dataset_card`, `metrics` and `wandb_receipt` that the run
            has saved.
        page: Path or URL of the HTML page that the run has saved, or an empty string.
    """
    if "metrics" in results:
        yield from _score_lines(results["metrics"])
    elif "dataset_card" in results:
        yield _dataset_line(results["dataset_card"])
    if page:
        yield f"Report:  {page} (open it in a browser)"
    if "wandb_receipt" in results:
        yield _tracking_line(results["wandb_receipt"])


def dataset_place(dataset: Any, project: Path) -> str:
    """Return where a dataset is saved: a URL, or a path relative to the project."""
    path = str(dataset._filepath)
    if dataset._protocol != "file":
        return f"{dataset._protocol}://{path}"
    return str(Path(path).relative_to(project)) if Path(path).is_relative_to(project) else path


def _score_lines(metrics: Metrics) -> Iterator[str]:
    dataset = metrics.dataset
    yield f"Scores:  {metrics.headline_text()}, on {metrics.images:,} {dataset.split} images"
    for remark in baseline_remarks(metrics):
        yield f"Note:    {remark}"
    note = ", the local STAND-IN for the published dataset" if dataset.source == "synthetic" else ""
    yield f"Dataset: {dataset.source}{note}"


def _dataset_line(card: DatasetCard) -> str:
    return f"Dataset: {card.source}, {card.counts_text()}"


def _tracking_line(receipt: Receipt) -> str:
    if receipt.mode == "disabled":
        return "W&B:     disabled"
    if receipt.mode == "online":
        urls = [run.url for run in receipt.runs if run.url]
        return f"W&B:     {receipt.report_url or (urls[-1] if urls else 'online')}"
    return f"W&B:     recorded offline; with a key, upload it with: {receipt.sync_command}"


def _attach_session(run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Tell a stage that starts other runs the facts about this one."""
    if "session" not in pipeline.inputs():
        return
    session: Any = catalog["session"]
    data: Any = catalog["data_folder"]
    raw: Any = catalog["raw_folder"]
    env = run_params.get("env") or ""
    session.attach(
        Session(
            project=Path(run_params["project_path"]),
            env="" if env == _DEFAULT_ENV else env,
            pipelines=",".join(run_params.get("pipeline_names") or ()),
            runtime_params=run_params.get("runtime_params") or {},
            data=data.folder.shown,
            raw=raw.folder.shown,
        )
    )


def _settings(context: KedroContext) -> WandbSettings:
    try:
        return WandbSettings.model_validate(context.params["wandb"])
    except ValidationError as error:
        # Kedro validates the section only if a node of the pipeline takes it.
        raise LocalizationError(
            f"The parameters of the section `wandb` are not valid: {error}"
        ) from error


def _saved_history(catalog: DataCatalog) -> pd.DataFrame | None:
    exists = _HISTORY in catalog and catalog.exists(_HISTORY)
    return catalog.load(_HISTORY) if exists else None


def _credentials(context: KedroContext) -> dict[str, Any]:
    """Return the entry `wandb` of the environment's credentials, else of conf/local.

    With `--env=<name>` Kedro reads only `base` and `<name>`.
    """
    source = str(context.config_loader.conf_source)
    local = OmegaConfigLoader(source, base_env="base", default_run_env=_DEFAULT_ENV)
    for loader in (context.config_loader, local):
        try:
            entry = loader["credentials"].get("wandb")
        except (KeyError, MissingConfigException):
            continue
        if isinstance(entry, dict):
            return entry
    return {}


def _replace_sigterm(old: Any, new: Any) -> None:
    """Replace the handler of SIGTERM if it is the expected one."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is old:
        signal.signal(signal.SIGTERM, new)


def _exit(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


HOOKS = (StorageHooks(), SummaryHooks(), TrackingHooks(), ProgressHooks(), ProcessHooks())
