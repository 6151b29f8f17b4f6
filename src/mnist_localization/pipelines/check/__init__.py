"""Pipeline `check`: check a fetched dataset before training."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.data.checks import check_dataset
from mnist_localization.reporting.html.check import render_check_page


def create_pipeline() -> Pipeline:
    """Check annotations and images of the fetched dataset, and write a page of the findings."""
    return Pipeline(
        [
            Node(
                func=check_dataset,
                inputs=[
                    "params:check",
                    "params:annotate",
                    "params:dataset",
                    "params:split",
                    "dataset_card",
                    "raw_folder",
                ],
                outputs="dataset_check",
                name="check_dataset",
            ),
            Node(
                func=render_check_page,
                inputs=["params:check", "dataset_check", "dataset_card"],
                outputs="check_page",
                name="render_check_page",
            ),
        ],
        tags="check",
    )
