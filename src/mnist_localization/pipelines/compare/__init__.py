"""The comparison of past runs, on demand."""

from mnist_localization.pipelines.compare.pipeline import create_pipeline

__all__ = ["create_pipeline"]
