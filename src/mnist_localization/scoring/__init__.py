"""Scoring: the table of predictions, and everything that is said of it."""

from mnist_localization.scoring.breakdowns import (
    SHOWN_CLASSES,
    Confusion,
    most_confused,
    worst_classes,
)
from mnist_localization.scoring.history import (
    chosen_records,
    comparison,
    run_record,
    training_facts,
)
from mnist_localization.scoring.metrics import baseline_remarks, evaluation_metrics
from mnist_localization.scoring.predictions import (
    PREDICTION_COLUMNS,
    predict_store,
    prediction_table,
)
from mnist_localization.scoring.scores import score, score_intervals
from mnist_localization.scoring.staleness import (
    Localizer,
    model_fingerprint,
    stale_card,
    stale_model,
    stale_predictions,
    stamped,
    tell_stale,
)

__all__ = [
    "PREDICTION_COLUMNS",
    "SHOWN_CLASSES",
    "Confusion",
    "Localizer",
    "baseline_remarks",
    "chosen_records",
    "comparison",
    "evaluation_metrics",
    "model_fingerprint",
    "most_confused",
    "predict_store",
    "prediction_table",
    "run_record",
    "score",
    "score_intervals",
    "stale_card",
    "stale_model",
    "stale_predictions",
    "stamped",
    "tell_stale",
    "training_facts",
    "worst_classes",
]
