"""Stage `split`: divide the annotated images, and decode each image once."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.data.splitting import split_dataset
from mnist_localization.reporting.contact_sheet import annotation_sample


def create_pipeline() -> Pipeline:
    """Split by label, decode the images into stores, and draw a sample."""
    return Pipeline(
        [
            Node(
                func=split_dataset,
                inputs=[
                    "params:split",
                    "params:dataset",
                    "params:seed",
                    "dataset_card",
                    "raw_folder",
                    "split_stores",
                    "train_annotations",
                    "validation_annotations",
                    "test_annotations",
                    "class_names",
                ],
                outputs=["train_split", "validation_split", "test_split"],
                name="split_dataset",
            ),
            Node(
                func=annotation_sample,
                inputs=["params:split", "params:seed", "class_names", "train_split"],
                outputs="dataset_sample",
                name="draw_dataset_sample",
            ),
        ],
        tags="split",
    )
