"""Stage `predict`: localize objects on a user's image files."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.inference.image_files import (
    find_images,
    predict_images,
    write_predictions,
)


def create_pipeline() -> Pipeline:
    """Find a user's image files, predict them, and write the results to `predict.output`."""
    return Pipeline(
        [
            Node(
                func=find_images,
                inputs=["params:predict", "project_folder"],
                outputs="image_files",
                name="find_images",
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
