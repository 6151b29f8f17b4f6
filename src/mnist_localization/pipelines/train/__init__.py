"""The stage `train`."""

from mnist_localization.pipelines.train.pipeline import create_pipeline

__all__ = ["create_pipeline"]
