"""Stage `annotate`: parse annotation files into validated tables."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.data.annotations.annotating import annotate_dataset


def create_pipeline() -> Pipeline:
    """Parse and validate the annotations of the fetched dataset."""
    return Pipeline(
        [
            Node(
                func=annotate_dataset,
                inputs=["params:annotate", "params:dataset", "dataset_card", "raw_folder"],
                outputs=[
                    "train_annotations",
                    "validation_annotations",
                    "test_annotations",
                    "class_names",
                    "annotation_report",
                ],
                name="annotate_dataset",
            ),
        ],
        tags="annotate",
    )
