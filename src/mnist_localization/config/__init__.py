"""Typed configuration: one frozen model for each stage's section of the parameters.

Kedro validates a node's `params:<section>` against the model that annotates it before
anything runs, so a misspelt key or a value out of range fails at once.
"""

from mnist_localization.config.annotate_split import (
    AnnotateSettings,
    SplitSettings,
    ValidationSettings,
)
from mnist_localization.config.annotation_format import AnnotationFormat, CsvSettings
from mnist_localization.config.base import Settings
from mnist_localization.config.check import CheckSettings
from mnist_localization.config.dataset import DatasetSettings, ImageSettings
from mnist_localization.config.evaluate_publish import (
    CompareSettings,
    EvaluateSettings,
    GallerySettings,
    PublishSettings,
)
from mnist_localization.config.export import (
    ExportSettings,
    ModelCardSettings,
    ToleranceSettings,
)
from mnist_localization.config.fetch import (
    FetchSettings,
    FileSettings,
    FolderSettings,
    NetworkSettings,
    SyntheticSettings,
    UnpackSettings,
    UpstreamSettings,
)
from mnist_localization.config.predict import PredictSettings
from mnist_localization.config.tracking import EpochSampleSettings, WandbSettings
from mnist_localization.config.train import (
    AugmentationSettings,
    EarlyStoppingSettings,
    LossWeights,
    PhaseSettings,
    TrainSettings,
)

__all__ = [
    "AnnotateSettings",
    "AnnotationFormat",
    "AugmentationSettings",
    "CheckSettings",
    "CompareSettings",
    "CsvSettings",
    "DatasetSettings",
    "EarlyStoppingSettings",
    "EpochSampleSettings",
    "EvaluateSettings",
    "ExportSettings",
    "FetchSettings",
    "FileSettings",
    "FolderSettings",
    "GallerySettings",
    "ImageSettings",
    "LossWeights",
    "ModelCardSettings",
    "NetworkSettings",
    "PhaseSettings",
    "PredictSettings",
    "PublishSettings",
    "Settings",
    "SplitSettings",
    "SyntheticSettings",
    "ToleranceSettings",
    "TrainSettings",
    "UnpackSettings",
    "UpstreamSettings",
    "ValidationSettings",
    "WandbSettings",
]
