"""The pipeline `check`, on demand: a look at a dataset before any training."""

from mnist_localization.pipelines.check.pipeline import create_pipeline

__all__ = ["create_pipeline"]
