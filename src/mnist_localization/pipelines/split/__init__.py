"""The stage `split`."""

from mnist_localization.pipelines.split.pipeline import create_pipeline

__all__ = ["create_pipeline"]
