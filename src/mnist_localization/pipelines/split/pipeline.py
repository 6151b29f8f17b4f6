"""Wiring of the stage `split`."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.split.nodes import split_images


def create_pipeline() -> Pipeline:
    """Split by label, and decode each image once into a store."""
    return Pipeline(
        [
            Node(
                func=split_images,
                inputs=[
                    "params:split",
                    "params:dataset",
                    "params:seed",
                    "dataset_card",
                    "raw_folder",
                    "train_annotations",
                    "test_annotations",
                ],
                outputs=["train_split", "validation_split", "test_split"],
                name="split_images",
            ),
        ],
        tags="split",
    )
