"""Wiring of the pipeline `formats`."""

from kedro.pipeline import Node, Pipeline

from mnist_localization.pipelines.export_predictions.nodes import (
    predictions_as_coco,
    predictions_as_voc,
    predictions_as_yolo,
)


def create_pipeline() -> Pipeline:
    """Write the predictions as COCO JSON, YOLO text and Pascal VOC XML."""
    return Pipeline(
        [
            Node(
                func=predictions_as_coco,
                inputs=["params:dataset", "predictions"],
                outputs="predictions_coco",
                name="predictions_as_coco",
            ),
            Node(
                func=predictions_as_yolo,
                inputs="predictions",
                outputs="predictions_yolo",
                name="predictions_as_yolo",
            ),
            Node(
                func=predictions_as_voc,
                inputs=["params:dataset", "predictions"],
                outputs="predictions_voc",
                name="predictions_as_voc",
            ),
        ],
        tags="formats",
    )
