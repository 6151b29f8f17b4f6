"""Weights of another model as the start of a training."""

import logging
from collections.abc import Sequence
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
import numpy as np
import numpy.typing as npt

from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import LABEL
from mnist_localization.models.saving import provenance

logger = logging.getLogger(__name__)

# Layers that a message names at most.
_LISTED = 12

Arrays = list[npt.NDArray[Any]]


def load_initial_weights(
    model: keras.Model, source: keras.Model, class_names: Sequence[str], shown: str
) -> None:
    """Copy the weights of all layers of the same name and shapes, and log the others.

    The weights of the last layer of the label are copied by class name, so that another order of
    the classes, and further classes, are no problem.

    Args:
        model: Model to train.
        source: Trained model.
        class_names: Name of each class of the model to train.
        shown: Name of the source in messages.

    Raises:
        ModelError: No layer fits.
    """
    others = {layer.name: layer for layer in source.layers}
    names = provenance(source).class_names
    loaded, left = 0, []
    for layer in model.layers:
        if not layer.weights:
            continue
        other = others.get(layer.name)
        own = layer.get_weights()
        found = other.get_weights() if other is not None else []
        if layer.name == LABEL and found and tuple(names) != tuple(class_names):
            reason = _copy_classes(layer, found, names, class_names)
        else:
            reason = _difference(own, found, is_there=other is not None)
            if not reason:
                layer.set_weights(found)
        loaded += not reason
        left += [f"{layer.name} ({reason})"] if reason else []
    if not loaded:
        raise ModelError(
            f"train.initial_weights: no layer of {shown} fits the model: {_listed(left)}; name a "
            "model of the same architecture and input, or leave it empty"
        )
    logger.info("Initial weights of %d layers are from %s.", loaded, shown)
    if left:
        logger.info("These layers start from new weights: %s.", _listed(left))


def _listed(layers: Sequence[str]) -> str:
    more = f" and {len(layers) - _LISTED} more" if len(layers) > _LISTED else ""
    return ", ".join(layers[:_LISTED]) + more


def _difference(own: Arrays, found: Arrays, *, is_there: bool) -> str:
    """Return why weights do not fit, or an empty string."""
    if not is_there:
        return "not in the other model"
    shapes = [weight.shape for weight in own], [weight.shape for weight in found]
    return "" if shapes[0] == shapes[1] else f"has shapes {shapes[0]}, the other {shapes[1]}"


def _copy_classes(
    layer: keras.layers.Layer, found: Arrays, names: Sequence[str], class_names: Sequence[str]
) -> str:
    """Copy the weights of the classes that both models know; return why that is not possible."""
    own = layer.get_weights()
    shared = [name for name in class_names if name in names]
    is_alike = len(own) == len(found) and all(
        mine.shape[:-1] == theirs.shape[:-1] and theirs.shape[-1] == len(names)
        for mine, theirs in zip(own, found, strict=True)
    )
    if not shared or not is_alike:
        return "of other classes"
    here = [list(class_names).index(name) for name in shared]
    there = [list(names).index(name) for name in shared]
    for mine, theirs in zip(own, found, strict=True):
        mine[..., here] = np.asarray(theirs)[..., there]
    layer.set_weights(own)
    return ""
