"""The pipeline `compare`: a comparison of evaluated runs, on demand."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.evaluation.runs import compare_runs


def create_pipeline() -> Pipeline:
    """Compare evaluated runs by their records on disk."""
    return Pipeline(
        [
            Node(
                func=compare_runs,
                inputs=["params:compare", "run_history"],
                outputs="run_comparison",
                name="compare_runs",
            ),
        ],
        tags="compare",
    )
