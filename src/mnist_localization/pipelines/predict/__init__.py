"""The stage `predict`."""

from mnist_localization.pipelines.predict.pipeline import create_pipeline

__all__ = ["create_pipeline"]
