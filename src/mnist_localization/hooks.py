"""Kedro hooks of the project."""

import logging
import os
import time
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl

from mnist_localization.reporting.summary import summary_lines
from mnist_localization.runtime import shared_cores
from mnist_localization.tracking import TrackingHooks

logger = logging.getLogger(__name__)


class ProgressHooks:
    """Says which stage a run is at, and at the end how long each took."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._stage = ""
        self._started = 0.0

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Forget an earlier run of the same process."""
        self._seconds, self._stage = {}, ""

    @hook_impl
    def before_node_run(self, node: Any) -> None:
        """Say that a stage begins."""
        self._stop_clock()
        self._stage = next(iter(sorted(node.tags)), node.name)
        if self._stage not in self._seconds:
            logger.info("--- %s", self._stage)
        self._started = time.perf_counter()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Say how long each stage took."""
        self._stop_clock()
        took = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in self._seconds.items())
        logger.info("--- Seconds: %s", took)

    def _stop_clock(self) -> None:
        if self._stage:
            passed = time.perf_counter() - self._started
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + passed


class CoresHooks:
    """Sets how TensorFlow shares out the cores, before any stage uses it."""

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Set it for this process and those that it starts."""
        os.environ.update(shared_cores())


class SummaryHooks:
    """Says at the end of a run what came out, where it lies and what to do next."""

    @hook_impl(trylast=True)
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Any, catalog: Any) -> None:
        """Log the summary of what this run has made."""
        made = pipeline.all_outputs()
        loaded = {
            name: catalog.load(name)
            for name in ("dataset_card", "metrics", "wandb_receipt")
            if name in made
        }
        pages = [name for name in ("html_report", "check_page") if name in made]
        page = Path(str(catalog[pages[0]]._filepath)) if pages else None
        for line in summary_lines(loaded, Path(run_params["project_path"]), page):
            logger.info(line)


HOOKS = (SummaryHooks(), TrackingHooks(), ProgressHooks(), CoresHooks())
