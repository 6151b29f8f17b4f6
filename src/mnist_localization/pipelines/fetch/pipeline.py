"""Wiring of the stage `fetch`."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.fetch.nodes import fetch_dataset


def create_pipeline() -> Pipeline:
    """Bring the raw files of the configured source to disk."""
    return Pipeline(
        [
            Node(
                func=fetch_dataset,
                inputs=["params:fetch", "raw_folder", "project_folder"],
                outputs="dataset_card",
                name="fetch_dataset",
            ),
        ],
        tags="fetch",
    )
