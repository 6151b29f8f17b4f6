"""The stage `evaluate`: predictions, scores, baselines and charts of the test split."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.evaluate.nodes import (
    measure_robustness,
    plot_scores,
    predict_test_baselines,
    predict_test_split,
    record_run,
    score_predictions,
)
from mnist_localization.registry import module_names
from mnist_localization.reporting.contact_sheet import prediction_sheets

_SETTINGS = ["params:evaluate", "params:dataset", "params:seed"]
_TABLES = ["predictions", "baseline_predictions"]


def create_pipeline() -> Pipeline:
    """Predict the test split, score it and the baselines, and draw the results."""
    return Pipeline([*_scoring(), *_drawing()], tags="evaluate")


def _scoring() -> list[Node]:
    splits = ["train_split", "validation_split", "test_split"]
    return [
        Node(
            func=predict_test_split,
            inputs=["params:evaluate", "runs", *splits],
            outputs="predictions",
            name="predict_test_split",
        ),
        Node(
            func=predict_test_baselines,
            inputs=["params:dataset", "train_split", "test_split"],
            outputs="baseline_predictions",
            name="predict_test_baselines",
        ),
        Node(
            func=score_predictions,
            inputs=[
                *_SETTINGS,
                "class_names",
                *_TABLES,
                "runs",
                "test_split",
                "dataset_card",
                "tracker",
            ],
            outputs="metrics",
            name="score_predictions",
        ),
        Node(
            func=record_run,
            inputs=["params:evaluate", "metrics", "predictions", "runs"],
            outputs=["run_history", "run_predictions"],
            name="record_run",
        ),
        Node(
            func=measure_robustness,
            inputs=[*_SETTINGS, "runs", "train_split", "test_split"],
            outputs="robustness",
            name="measure_robustness",
        ),
    ]


def _drawing() -> list[Node]:
    return [
        Node(
            func=plot_scores,
            inputs=["params:dataset", "class_names", *_TABLES, "metrics"],
            outputs=list(module_names("reporting/charts")),
            name="plot_scores",
        ),
        Node(
            func=prediction_sheets,
            inputs=[
                "params:evaluate",
                "params:seed",
                "class_names",
                "predictions",
                "test_split",
            ],
            outputs=["worst_predictions", "random_predictions"],
            name="draw_contact_sheets",
        ),
    ]
