"""The stage `evaluate`."""

from mnist_localization.pipelines.evaluate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
