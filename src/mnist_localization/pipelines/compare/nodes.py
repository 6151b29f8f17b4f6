"""Nodes of the pipeline `compare`."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from mnist_localization.config.results import CompareSettings, EvaluateSettings
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.images.store import ImageStore, SplitDataset
from mnist_localization.errors import ModelError
from mnist_localization.evaluation.paired_tests import (
    PAIRED_COLUMNS,
    disagreements,
    paired_tests,
)
from mnist_localization.evaluation.runs import (
    RunRecord,
    chosen_records,
    comparison,
    load_records,
    score_table,
)
from mnist_localization.models.runs import Runs

logger = logging.getLogger(__name__)

_NOT_SHARED = (
    "The runs were not evaluated on one test split, so they are not tested; evaluate each with "
    "`kedro run --pipelines=evaluate --params evaluate.model=NAME`."
)
_OTHER_SPLIT = "The images are not shown, because the test split on disk is another one."


def compare_runs(
    settings: CompareSettings,
    evaluate: EvaluateSettings,
    seed: int,
    class_names: ClassNames,
    runs: Runs,
    run_history: Mapping[str, Callable[[], RunRecord]],
    run_predictions: Mapping[str, Callable[[], pd.DataFrame]],
    test_split: SplitDataset,
) -> tuple[pd.DataFrame, pd.DataFrame, Any, str]:
    """Compare scores, trainings and predictions of evaluated runs.

    Returns:
        The tables `run_comparison` and `paired_tests`, the learning curves as a Plotly figure,
        and the HTML page.
    """
    from mnist_localization.reporting.html.comparison import comparison_page, disagreement_images
    from mnist_localization.reporting.run_curves import run_curves

    records = chosen_records(load_records(run_history), settings.runs, settings.latest, runs.find)
    table = comparison(records)
    logger.info("Scores:\n%s", score_table(records).to_string(index=False))
    is_shared = len({record.dataset.fingerprint for record in records}) == 1
    tests, images, note = pd.DataFrame(columns=list(PAIRED_COLUMNS)), [], _NOT_SHARED
    if is_shared:
        predictions = {record.run: run_predictions[record.key]() for record in records}
        tests, note = paired_tests(predictions, evaluate.bootstrap_resamples, seed), ""
        shown = tests.drop(columns=["reference", "images"]).to_string(
            index=False, float_format="%.4g"
        )
        logger.info("Differences from %s:\n%s", records[0].run, shown)
        store: ImageStore = test_split.store
        if store.meta.fingerprint == records[0].dataset.fingerprint:
            files = disagreements(predictions, settings.images)["file"].tolist()
            images = disagreement_images(files, predictions, store, class_names.root)
        else:
            note = _OTHER_SPLIT
    if note:
        logger.warning("%s", note)
    histories = {record.run: _history(runs, record.run) for record in records}
    page = comparison_page(records, table, tests, histories, images, note)
    return table, tests, run_curves(histories), page


def _history(runs: Runs, run: str) -> pd.DataFrame:
    """Return the history of a run, without rows if the run is not kept."""
    try:
        return runs.history(run)
    except ModelError:
        return pd.DataFrame({"epoch": []})
