"""Wiring of the stage `predict`."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.predict.nodes import (
    list_images,
    predict_images,
    write_predictions,
)


def create_pipeline() -> Pipeline:
    """Find a user's images, predict them, and write what was found beside them."""
    return Pipeline(
        [
            Node(
                func=list_images,
                inputs=["params:predict", "project_folder"],
                outputs="image_files",
                name="list_images",
            ),
            Node(
                func=predict_images,
                inputs=["params:predict", "params:split", "localizer", "image_files"],
                outputs=["image_predictions", "image_failures"],
                name="predict_images",
            ),
            Node(
                func=write_predictions,
                inputs=[
                    "params:predict",
                    "params:split",
                    "project_folder",
                    "localizer",
                    "image_predictions",
                    "image_failures",
                ],
                outputs=None,
                name="write_predictions",
            ),
        ],
        tags="predict",
    )
