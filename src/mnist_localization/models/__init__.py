"""Two-head models: architectures behind one registry, their layers, losses and metrics.

Importing this package imports Keras, and registers the objects that a saved model needs.
"""

from mnist_localization import backend  # noqa: F401  # isort: skip
from mnist_localization.models import losses, metrics
from mnist_localization.models.inspection import (
    computed_in_float32,
    layer_table,
    load_localizer,
    loadable,
    prediction_model,
    provenance,
)
from mnist_localization.models.priors import BoxPriors, box_priors
from mnist_localization.models.registry import ModelSpec, Network, build_network

__all__ = [
    "BoxPriors",
    "ModelSpec",
    "Network",
    "box_priors",
    "build_network",
    "computed_in_float32",
    "layer_table",
    "load_localizer",
    "loadable",
    "losses",
    "metrics",
    "prediction_model",
    "provenance",
]
