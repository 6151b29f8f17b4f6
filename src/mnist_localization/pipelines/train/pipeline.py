"""Wiring of the stage `train`."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.train.nodes import plot_learning_curves, train_localizer


def create_pipeline() -> Pipeline:
    """Build and fit the two-head model."""
    return Pipeline(
        [
            Node(
                func=train_localizer,
                inputs=[
                    "params:train",
                    "params:dataset",
                    "params:wandb",
                    "params:seed",
                    "dataset_card",
                    "train_split",
                    "validation_split",
                    "training_checkpoints",
                    "tracker",
                ],
                outputs=["localizer", "training_history"],
                name="train_localizer",
            ),
            Node(
                func=plot_learning_curves,
                inputs="training_history",
                outputs="learning_curves",
                name="plot_learning_curves",
            ),
        ],
        tags="train",
    )
