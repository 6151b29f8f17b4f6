"""Stage `annotate`: parse annotation files into validated tables."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.data.annotations.reading import annotate_dataset


def create_pipeline() -> Pipeline:
    """Parse and validate the annotations of the fetched dataset."""
    return Pipeline(
        [
            Node(
                func=annotate_dataset,
                inputs=["params:annotate", "params:dataset", "dataset_card", "raw_folder"],
                outputs=["train_annotations", "test_annotations", "annotation_report"],
                name="annotate_dataset",
            ),
        ],
        tags="annotate",
    )
