"""Stage `publish`: the HTML report and the W&B run of the same images and scores."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.publish.nodes import publish_results


def create_pipeline() -> Pipeline:
    """Return the pipeline of the stage."""
    return Pipeline(
        [
            Node(
                func=publish_results,
                inputs=[
                    "params:publish",
                    "params:evaluate",
                    "params:dataset",
                    "params:seed",
                    "class_names",
                    "predictions",
                    "baseline_predictions",
                    "metrics",
                    "training_history",
                    "dataset_card",
                    "runs",
                    "test_split",
                    "tracker",
                ],
                outputs=["html_report", "wandb_receipt"],
                name="publish_results",
            ),
        ],
        tags="publish",
    )
