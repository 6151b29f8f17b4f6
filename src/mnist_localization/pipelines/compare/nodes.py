"""Nodes of the comparison of past runs."""

import logging
from collections.abc import Callable
from typing import Any

import pandas as pd

from mnist_localization.config import CompareSettings
from mnist_localization.evaluation import chosen_records, comparison

logger = logging.getLogger(__name__)


def compare_runs(
    settings: CompareSettings, run_history: dict[str, Callable[[], dict[str, Any]]]
) -> pd.DataFrame:
    """Scores, dataset and training of evaluated runs side by side.

    Returns:
        One row a quantity, one column a run; also logged as text.
    """
    # What a killed save left beside its final path is no record.
    records = [load() for name, load in run_history.items() if not name.startswith(".")]
    table = comparison(chosen_records(records, settings.runs, settings.latest))
    logger.info("Runs side by side:\n%s", table.to_string(index=False))
    return table
