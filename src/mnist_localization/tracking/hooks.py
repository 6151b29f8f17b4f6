"""Kedro hooks that open and close the W&B run of a `kedro run`."""

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd
from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline
from pydantic import ValidationError

from mnist_localization.config import WandbSettings
from mnist_localization.errors import LocalizationError
from mnist_localization.tracking.current import close_run, expect_run
from mnist_localization.tracking.run_context import RunContext, job_type_of

# Kedro's environment where none is named.
_DEFAULT_ENV = "local"
# Their names in the catalog.
_TRACKER = "tracker"
_HISTORY = "training_history"


class TrackingHooks:
    """One W&B run for each `kedro run` that trains, evaluates or publishes.

    The run is closed whatever ends the `kedro run`: success, an error, Ctrl-C or SIGTERM.
    """

    def __init__(self) -> None:
        self._context: KedroContext | None = None
        self._restore_signal: Callable[[], None] | None = None
        self._is_tracked = False

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep what the run is configured with."""
        self._context = context

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Make a run ready where a stage of the pipeline may log to it."""
        job_type = job_type_of({tag for node in pipeline.nodes for tag in node.tags})
        context = self._context
        self._is_tracked = False
        if job_type is None or context is None or "wandb" not in context.params:
            expect_run(RunContext())
            return
        expect_run(
            RunContext(
                settings=_settings(context),
                job_type=job_type,
                project_path=Path(context.project_path),
                parameters=context.params,
                credentials=_credentials(context),
                env=_named_env(run_params),
                runtime_params=run_params.get("runtime_params") or {},
                history=lambda: _saved_history(catalog),
            )
        )
        self._is_tracked = True
        # Kedro calls no hook for Ctrl-C and SIGTERM: the tracker closes its run on the way out.
        self._restore_signal = _turn_sigterm_into_exit()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Close the run."""
        self._end(None)

    @hook_impl
    def on_pipeline_error(self, error: Exception, catalog: DataCatalog) -> None:
        """Close the run as failed, with the error in it."""
        if self._is_tracked and _TRACKER in catalog:
            # A stage may fail before a node has got the tracker, which knows its folder.
            with suppress(DatasetError):
                catalog.load(_TRACKER)
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        try:
            close_run(error)
        finally:
            if self._restore_signal is not None:
                self._restore_signal()
                self._restore_signal = None


def _settings(context: KedroContext) -> WandbSettings:
    try:
        return WandbSettings.model_validate(context.params["wandb"])
    except ValidationError as error:
        # Kedro checks the section only where a node of the pipeline takes it.
        raise LocalizationError(
            f"The parameters of the section `wandb` are wrong: {error}"
        ) from error


def _saved_history(catalog: DataCatalog) -> pd.DataFrame | None:
    is_there = _HISTORY in catalog and catalog.exists(_HISTORY)
    return catalog.load(_HISTORY) if is_there else None


def _named_env(run_params: dict[str, Any]) -> str:
    env = str(run_params.get("env") or "")
    return "" if env == _DEFAULT_ENV else env


def _credentials(context: KedroContext) -> dict[str, Any]:
    try:
        found = context.config_loader["credentials"].get("wandb")
    except (KeyError, MissingConfigException):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def _turn_sigterm_into_exit() -> Callable[[], None] | None:
    """Let SIGTERM unwind the program; gives the function that undoes it."""
    if threading.current_thread() is not threading.main_thread():
        return None
    before = signal.getsignal(signal.SIGTERM)
    if before is not signal.SIG_DFL:
        return None  # somebody else takes care of it

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    return lambda: _set_default(leave)


def _set_default(handler: Callable[[int, FrameType | None], None]) -> None:
    if signal.getsignal(signal.SIGTERM) is handler:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
