"""The pipeline `compare`: a comparison of evaluated runs, on demand."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.compare.nodes import compare_runs


def create_pipeline() -> Pipeline:
    """Compare evaluated runs by their records and predictions on disk."""
    return Pipeline(
        [
            Node(
                func=compare_runs,
                inputs=[
                    "params:compare",
                    "params:evaluate",
                    "params:seed",
                    "class_names",
                    "runs",
                    "run_history",
                    "run_predictions",
                    "test_split",
                ],
                outputs=["run_comparison", "paired_tests", "run_curves", "comparison_page"],
                name="compare_runs",
            ),
        ],
        tags="compare",
    )
