"""Wiring of the stage `export`."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.export.nodes import export_formats, write_model_card


def create_pipeline() -> Pipeline:
    """Write the localizer in other formats, check each file, and write the model card."""
    return Pipeline(
        [
            Node(
                func=export_formats,
                inputs=[
                    "params:export",
                    "params:evaluate",
                    "params:seed",
                    "localizer",
                    "train_split",
                    "test_split",
                    "exported_models",
                ],
                outputs="export_report",
                name="export_formats",
            ),
            Node(
                func=write_model_card,
                inputs=[
                    "params:export",
                    "params:dataset",
                    "params:evaluate",
                    "localizer",
                    "test_split",
                    "predictions",
                    "metrics",
                    "dataset_card",
                    "robustness",
                    "export_report",
                ],
                outputs="model_card",
                name="write_model_card",
            ),
        ],
        tags="export",
    )
