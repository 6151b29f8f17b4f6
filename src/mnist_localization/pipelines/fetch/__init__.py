"""Stage `fetch`: download, verify and unpack the raw files of the configured source."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.data.sources import fetch


def create_pipeline() -> Pipeline:
    """Return the pipeline `fetch`."""
    return Pipeline(
        [
            Node(
                func=fetch,
                inputs=["params:fetch", "raw_folder", "project_folder"],
                outputs="dataset_card",
                name="fetch_dataset",
            ),
        ],
        tags="fetch",
    )
