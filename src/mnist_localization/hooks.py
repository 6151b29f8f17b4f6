"""Kedro hooks of the project."""

import logging
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl

from mnist_localization.summary import summary_lines
from mnist_localization.tracking import TrackingHooks

logger = logging.getLogger(__name__)


class SummaryHooks:
    """Says at the end of a run what came out, where it lies and what to do next."""

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Any, catalog: Any) -> None:
        """Log the summary of what this run has made."""
        made = pipeline.outputs() | set(pipeline.datasets()) & pipeline.all_outputs()
        project = Path(run_params["project_path"])
        loaded = {
            name: catalog.load(name)
            for name in ("dataset_card", "metrics", "wandb_receipt")
            if name in made
        }
        page = getattr(catalog["html_report"], "_filepath", None) if "html_report" in made else None
        for line in summary_lines(loaded, project, Path(str(page)) if page else None):
            logger.info(line)


HOOKS = (SummaryHooks(), TrackingHooks())
