"""Wiring of the stage `annotate`."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.annotate.nodes import annotate_dataset


def create_pipeline() -> Pipeline:
    """Turn the CSVs into one checked table per split."""
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
