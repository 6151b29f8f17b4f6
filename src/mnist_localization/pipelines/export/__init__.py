"""Stage `export`: write the localizer in other formats, and its model card."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.export import export_localizer, write_model_card


def create_pipeline() -> Pipeline:
    """Export the localizer, check each exported file, and write the model card."""
    return Pipeline(
        [
            Node(
                func=export_localizer,
                inputs=[
                    "params:export",
                    "params:evaluate",
                    "params:seed",
                    "runs",
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
                    "class_names",
                    "runs",
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
