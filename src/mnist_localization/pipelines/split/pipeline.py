"""Wiring of the stage `split`."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.split.nodes import draw_dataset_sample, split_images


def create_pipeline() -> Pipeline:
    """Split by label, decode each image once into a store, and draw a sample."""
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
                    "split_stores",
                    "train_annotations",
                    "test_annotations",
                ],
                outputs=["train_split", "validation_split", "test_split"],
                name="split_images",
            ),
            Node(
                func=draw_dataset_sample,
                inputs=["params:split", "params:dataset", "params:seed", "train_split"],
                outputs="dataset_sample",
                name="draw_dataset_sample",
            ),
        ],
        tags="split",
    )
