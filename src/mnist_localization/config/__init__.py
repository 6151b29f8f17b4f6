"""Typed configuration: one frozen model per section of the parameters.

Kedro validates `params:<section>` against the annotation of the node's argument before it runs
anything, so a misspelled key or a value out of range fails at once.
"""

from mnist_localization.config.base import (
    Settings,
)
from mnist_localization.config.data import (
    AnnotateSettings,
    AnnotationSettings,
    CheckSettings,
    CsvSettings,
    DatasetSettings,
    FetchSettings,
    FileSettings,
    FolderSettings,
    ImageSettings,
    NetworkSettings,
    SplitSettings,
    SyntheticSettings,
    UnpackSettings,
    UpstreamSettings,
    ValidationSettings,
)
from mnist_localization.config.results import (
    CompareSettings,
    EpochSampleSettings,
    EvaluateSettings,
    ExportSettings,
    GallerySettings,
    ModelCardSettings,
    PredictSettings,
    PublishSettings,
    ToleranceSettings,
    WandbSettings,
)
from mnist_localization.config.train import (
    AugmentationSettings,
    EarlyStoppingSettings,
    LossWeights,
    PhaseSettings,
    TrainSettings,
)

__all__ = [
    "AnnotateSettings",
    "AnnotationSettings",
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
