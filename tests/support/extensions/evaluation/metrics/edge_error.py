"""Error of the edges of the box."""

import numpy as np

from mnist_localization.evaluation.metrics import FloatArray, Metric, Outcomes


def _errors(outcomes: Outcomes) -> FloatArray:
    errors: FloatArray = np.abs(outcomes.predicted_boxes - outcomes.true_boxes).mean(axis=1)
    return errors


METRICS = (
    Metric(
        key="edge_error",
        title="Edge error",
        description="Mean distance of the four edges from the annotated edges, relative to the "
        "image.",
        values=_errors,
        unit="ratio",
        interval="bootstrap",
        higher_is_better=False,
    ),
)
