"""Predictions of a split, their scores, breakdowns and baselines, and records of runs."""

from mnist_localization.evaluation.breakdowns import (
    SHOWN_CLASSES,
    Confusion,
    most_confused,
    worst_classes,
)
from mnist_localization.evaluation.predictions import (
    PREDICTION_COLUMNS,
    predict_store,
    prediction_table,
)
from mnist_localization.evaluation.runs import (
    chosen_records,
    comparison,
    run_record,
    training_facts,
)
from mnist_localization.evaluation.scores import (
    Metrics,
    ScoredSplit,
    baseline_remarks,
    evaluate_predictions,
    score,
    score_intervals,
)
from mnist_localization.evaluation.staleness import (
    Localizer,
    handle_stale,
    model_fingerprint,
    stale_card,
    stale_model,
    stale_predictions,
    with_fingerprints,
)

__all__ = [
    "PREDICTION_COLUMNS",
    "SHOWN_CLASSES",
    "Confusion",
    "Localizer",
    "Metrics",
    "ScoredSplit",
    "baseline_remarks",
    "chosen_records",
    "comparison",
    "evaluate_predictions",
    "handle_stale",
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
    "training_facts",
    "with_fingerprints",
    "worst_classes",
]
