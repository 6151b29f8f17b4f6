"""Two-head models: architectures behind one registry, their layers, losses and metrics.

Importing this package imports Keras, and registers the objects that a saved model needs.
"""

from mnist_localization import backend  # noqa: F401  # isort: skip
from mnist_localization.models import losses, metrics
from mnist_localization.models.architecture import ModelSpec, Network, build_network
from mnist_localization.models.saving import (
    computed_in_float32,
    layer_table,
    load_localizer,
    loadable,
    prediction_model,
    provenance,
)
from mnist_localization.models.statistics import BoxStatistics, compute_box_statistics

__all__ = [
    "BoxStatistics",
    "ModelSpec",
    "Network",
    "build_network",
    "compute_box_statistics",
    "computed_in_float32",
    "layer_table",
    "load_localizer",
    "loadable",
    "losses",
    "metrics",
    "prediction_model",
    "provenance",
]
