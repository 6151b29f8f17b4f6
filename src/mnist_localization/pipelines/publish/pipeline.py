"""Wiring of the stage `publish`."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.publish.nodes import (
    collect_gallery,
    publish_to_wandb,
    render_html_report,
)


def create_pipeline() -> Pipeline:
    """Publish one list of box records on W&B and as one local page."""
    return Pipeline(
        [
            Node(
                func=collect_gallery,
                inputs=[
                    "params:publish",
                    "params:evaluate",
                    "params:dataset",
                    "params:seed",
                    "predictions",
                    "localizer",
                    "test_split",
                ],
                outputs="gallery",
                name="collect_gallery",
            ),
            Node(
                func=render_html_report,
                inputs=[
                    "params:dataset",
                    "gallery",
                    "predictions",
                    "baseline_predictions",
                    "metrics",
                    "training_history",
                    "dataset_card",
                ],
                outputs="html_report",
                name="render_html_report",
            ),
            Node(
                func=publish_to_wandb,
                inputs=[
                    "params:dataset",
                    "gallery",
                    "predictions",
                    "metrics",
                    "training_history",
                    "dataset_card",
                    # The page is published too; and this node, which closes the run, is last.
                    "html_report",
                    "localizer",
                    "tracker",
                ],
                outputs="wandb_receipt",
                name="publish_to_wandb",
            ),
        ],
        tags="publish",
    )
