"""The stage `fetch`."""

from mnist_localization.pipelines.fetch.pipeline import create_pipeline

__all__ = ["create_pipeline"]
