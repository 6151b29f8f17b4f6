"""Stage `train`: build and fit the localizer, and describe it."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.train.nodes import (
    draw_architecture,
    forget_checkpoint,
    keep_run,
    plot_learning_curves,
    summarize_localizer,
    train_localizer,
)
from mnist_localization.reporting.contact_sheet import augmentation_sample


def create_pipeline() -> Pipeline:
    """Train the two-head model, and draw its learning curves and its layers."""
    return Pipeline(
        [
            Node(
                func=train_localizer,
                inputs=[
                    "params:train",
                    "params:dataset",
                    "params:wandb",
                    "params:seed",
                    "class_names",
                    "dataset_card",
                    "train_split",
                    "validation_split",
                    "training_checkpoints",
                    "earlier_runs",
                    "tracker",
                ],
                outputs=["localizer", "training_history"],
                name="train_localizer",
            ),
            Node(
                func=keep_run,
                inputs=["localizer", "training_history", "tracker"],
                outputs="runs",
                name="keep_run",
            ),
            Node(
                func=forget_checkpoint,
                # The run is an input, so that it is kept before the checkpoint is removed.
                inputs=["training_history", "training_checkpoints", "runs"],
                outputs=None,
                name="forget_checkpoint",
            ),
            Node(
                func=augmentation_sample,
                inputs=[
                    "params:train",
                    "params:split",
                    "params:seed",
                    "class_names",
                    "train_split",
                ],
                outputs="augmented_sample",
                name="draw_augmented_sample",
            ),
            Node(
                func=plot_learning_curves,
                inputs="training_history",
                outputs="learning_curves",
                name="plot_learning_curves",
            ),
            Node(
                func=summarize_localizer,
                inputs="localizer",
                outputs="model_summary",
                name="summarize_localizer",
            ),
            Node(
                func=draw_architecture,
                inputs=["params:train", "model_summary"],
                outputs="model_diagram",
                name="draw_architecture",
            ),
        ],
        tags="train",
    )
