"""Wiring of the pipeline `check`."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.check.nodes import examine_dataset, render_page


def create_pipeline() -> Pipeline:
    """Say what is in a fetched dataset, and what is wrong with it."""
    return Pipeline(
        [
            Node(
                func=examine_dataset,
                inputs=[
                    "params:check",
                    "params:dataset",
                    "params:split",
                    "dataset_card",
                    "raw_folder",
                ],
                outputs="dataset_check",
                name="examine_dataset",
            ),
            Node(
                func=render_page,
                inputs=["params:check", "dataset_check", "dataset_card"],
                outputs="check_page",
                name="render_check_page",
            ),
        ],
        tags="check",
    )
