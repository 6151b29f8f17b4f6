"""Stage `publish`: the HTML report and the W&B run of the same images and scores."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.publish.nodes import publish_to_wandb, render_html_report


def create_pipeline() -> Pipeline:
    """Return the pipeline of the stage."""
    return Pipeline(
        [
            Node(
                func=render_html_report,
                inputs=[
                    "params:publish",
                    "params:evaluate",
                    "params:dataset",
                    "params:seed",
                    "predictions",
                    "baseline_predictions",
                    "metrics",
                    "training_history",
                    "dataset_card",
                    "localizer",
                    "test_split",
                ],
                outputs="html_report",
                name="render_html_report",
            ),
            Node(
                func=publish_to_wandb,
                inputs=[
                    "params:publish",
                    "params:dataset",
                    "params:seed",
                    "predictions",
                    "metrics",
                    "training_history",
                    "dataset_card",
                    "localizer",
                    "test_split",
                    "html_report",
                    "tracker",
                ],
                outputs="wandb_receipt",
                name="publish_to_wandb",
            ),
        ],
        tags="publish",
    )
