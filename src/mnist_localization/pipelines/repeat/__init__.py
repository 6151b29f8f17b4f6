"""Pipeline `repeat`: train and evaluate again with other seeds, architectures, data or folds."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.repeat.nodes import repeat_trainings


def create_pipeline() -> Pipeline:
    """Repeat a training, and summarize the scores."""
    return Pipeline(
        [
            Node(
                func=repeat_trainings,
                inputs=["params:repeat", "parameters", "session", "data_folder"],
                outputs=["repetitions", "repetition_summary", "repetition_table"],
                name="repeat_trainings",
            ),
        ],
        tags="repeat",
    )
