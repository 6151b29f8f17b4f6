"""Kedro hooks that open and close the W&B run of a `kedro run`."""

import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd
from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from pydantic import ValidationError

from mnist_localization.config.results import WandbSettings
from mnist_localization.errors import LocalizationError
from mnist_localization.tracking.run_context import RunContext, job_type_of
from mnist_localization.tracking.tracker import Tracker

# Kedro's default environment.
_DEFAULT_ENV = "local"
_HISTORY = "training_history"


class TrackingHooks:
    """One W&B run for each `kedro run` that trains, evaluates or publishes.

    The run is closed after success, an error, Ctrl-C and SIGTERM.
    """

    def __init__(self) -> None:
        self._context: KedroContext | None = None
        self._tracker: Tracker | None = None

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
        dataset: Any = catalog["tracker"]
        self._tracker = dataset.attach(
            RunContext(
                settings=_settings(context),
                job_type=job_type,
                project_path=Path(context.project_path),
                parameters=context.params,
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
