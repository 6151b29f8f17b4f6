"""Metrics of the predicted label."""

from mnist_localization.evaluation.metrics import Metric

METRICS = (
    Metric(
        key="label_accuracy",
        title="Label accuracy",
        description="Share of images whose predicted class is correct.",
        values=lambda outcomes: outcomes.label_correct,
        unit="share",
        interval="wilson",
        headline=True,
        rank=10,
    ),
)
