"""The stage `export`."""

from mnist_localization.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
