"""The pipeline `formats`, on demand: predictions as other tools read them."""

from mnist_localization.pipelines.export_predictions.pipeline import create_pipeline

__all__ = ["create_pipeline"]
