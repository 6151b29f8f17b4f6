"""Wiring of the comparison of past runs."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.compare.nodes import compare_runs


def create_pipeline() -> Pipeline:
    """Put evaluated runs side by side, from what they left on disk."""
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
