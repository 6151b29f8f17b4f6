"""The stage `publish`."""

from mnist_localization.pipelines.publish.pipeline import create_pipeline

__all__ = ["create_pipeline"]
