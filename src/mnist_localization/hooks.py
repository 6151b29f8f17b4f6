"""Kedro hooks of the project."""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl

from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation.scores import Metrics, baseline_remarks
from mnist_localization.runtime import thread_variables
from mnist_localization.tracking import Receipt, TrackingHooks

logger = logging.getLogger(__name__)


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


class ThreadHooks:
    """Hooks that set the number of TensorFlow threads before any stage imports TensorFlow."""

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Set the variables for this process and its child processes."""
        os.environ.update(thread_variables())


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
        pages = [name for name in ("html_report", "check_page") if name in saved]
        page = Path(str(catalog[pages[0]]._filepath)) if pages else None
        for line in summary_lines(results, Path(run_params["project_path"]), page):
            logger.info(line)


def summary_lines(results: Mapping[str, Any], project: Path, page: Path | None) -> Iterator[str]:
    """Yield the last log lines of a run.

    Args:
        results: Those of the datasets `dataset_card`, `metrics` and `wandb_receipt` that the run
            has saved.
        project: Project folder; the path of the page is shown relative to it.
        page: HTML page that the run has saved, or `None`.
    """
    if "metrics" in results:
        yield from _score_lines(results["metrics"])
    elif "dataset_card" in results:
        yield _dataset_line(results["dataset_card"])
    if page is not None:
        shown = page.relative_to(project) if page.is_relative_to(project) else page
        yield f"Report:  {shown} (open it in a browser)"
    if "wandb_receipt" in results:
        yield _tracking_line(results["wandb_receipt"])


def _score_lines(metrics: Metrics) -> Iterator[str]:
    dataset = metrics.dataset
    yield f"Scores:  {metrics.headline_text()}, on {metrics.images:,} {dataset.split} images"
    for remark in baseline_remarks(metrics):
        yield f"Note:    {remark}"
    note = ", the local STAND-IN for the published dataset" if dataset.source == "synthetic" else ""
    yield f"Dataset: {dataset.source}{note}"


def _dataset_line(card: DatasetCard) -> str:
    images = f"{card.train_images:,} training and {card.test_images:,} test images"
    if not card.test_images:
        images = f"{card.train_images:,} images, part of them for the test split"
    return f"Dataset: {card.source}, {images}"


def _tracking_line(receipt: Receipt) -> str:
    if receipt.mode == "disabled":
        return "W&B:     disabled"
    if receipt.mode == "online":
        urls = [run.url for run in receipt.runs if run.url]
        return f"W&B:     {receipt.report_url or (urls[-1] if urls else 'online')}"
    return f"W&B:     recorded offline; with a key, upload it with: {receipt.sync_command}"


HOOKS = (SummaryHooks(), TrackingHooks(), ProgressHooks(), ThreadHooks())
