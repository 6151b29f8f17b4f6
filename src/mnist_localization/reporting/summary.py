"""The last lines of a run: scores, source, where the report lies, and what to do next."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation import Metrics, baseline_remarks


def summary_lines(made: Mapping[str, Any], project: Path, page: Path | None) -> Iterator[str]:
    """Lines that say what a run has made.

    Args:
        made: Those of `dataset_card`, `metrics` and `wandb_receipt` that it has made.
        project: The project's folder; paths are shown relative to it.
        page: The HTML report or the page of the check, where the run has made one.
    """
    if "metrics" in made:
        yield from _scores(made["metrics"])
    elif "dataset_card" in made:
        yield _source(made["dataset_card"])
    if page is not None:
        shown = page.relative_to(project) if page.is_relative_to(project) else page
        yield f"Report:  {shown} (open it in a browser)"
    if "wandb_receipt" in made:
        yield _receipt(made["wandb_receipt"])


def _scores(metrics: Metrics) -> Iterator[str]:
    dataset = metrics.dataset
    yield f"Scores:  {metrics.headline_text()}, on {metrics.images:,} {dataset.split} images"
    for remark in baseline_remarks(metrics):
        yield f"Note:    {remark}"
    if dataset.source == "synthetic":
        yield "Dataset: synthetic, the local STAND-IN for the published dataset"
    else:
        yield f"Dataset: {dataset.source}"


def _source(card: DatasetCard) -> str:
    if not card.test_images:
        return f"Dataset: {card.source}, {card.train_images:,} images, some for the test"
    return (
        f"Dataset: {card.source}, {card.train_images:,} training and "
        f"{card.test_images:,} test images"
    )


def _receipt(receipt: Mapping[str, Any]) -> str:
    if receipt["mode"] == "disabled":
        return "W&B:     disabled"
    if receipt["mode"] == "online":
        urls = [run["url"] for run in receipt["runs"] if run["url"]]
        return f"W&B:     {receipt['report_url'] or (urls[-1] if urls else 'online')}"
    return f"W&B:     recorded offline; with a key, upload it by: {receipt['sync_command']}"
