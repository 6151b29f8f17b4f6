"""Scoring: the table of predictions, and everything that is said of it."""

from mnist_localization.scoring.metrics import baseline_remarks, evaluation_metrics
from mnist_localization.scoring.predictions import (
    PREDICTION_COLUMNS,
    predict_store,
    prediction_table,
)
from mnist_localization.scoring.scores import score, score_intervals
from mnist_localization.scoring.staleness import (
    Localizer,
    stale_model,
    stale_predictions,
    stamped,
    tell_stale,
)

__all__ = [
    "PREDICTION_COLUMNS",
    "Localizer",
    "baseline_remarks",
    "evaluation_metrics",
    "predict_store",
    "prediction_table",
    "score",
    "score_intervals",
    "stale_model",
    "stale_predictions",
    "stamped",
    "tell_stale",
]
