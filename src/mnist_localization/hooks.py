"""Kedro hooks of the project."""

import logging
import time
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl

from mnist_localization.summary import summary_lines
from mnist_localization.tracking import TrackingHooks

logger = logging.getLogger(__name__)


class ProgressHooks:
    """Says which stage a run is at, and how long each took."""

    def __init__(self) -> None:
        self._stage = ""
        self._started = 0.0

    @hook_impl
    def before_node_run(self, node: Any) -> None:
        """Say that a stage begins."""
        stage = next(iter(sorted(node.tags)), node.name)
        if stage != self._stage:
            self._say_duration()
            self._stage, self._started = stage, time.perf_counter()
            logger.info("--- %s", stage)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Say that the last stage is done."""
        self._say_duration()
        self._stage = ""

    def _say_duration(self) -> None:
        if self._stage:
            logger.info("--- %s took %.1f s", self._stage, time.perf_counter() - self._started)


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
        page = Path(str(catalog["html_report"]._filepath)) if "html_report" in made else None
        for line in summary_lines(loaded, Path(run_params["project_path"]), page):
            logger.info(line)


HOOKS = (SummaryHooks(), TrackingHooks(), ProgressHooks())
