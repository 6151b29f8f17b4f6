"""The stage `annotate`."""

from mnist_localization.pipelines.annotate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
