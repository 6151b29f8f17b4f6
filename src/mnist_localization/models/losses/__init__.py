"""Registry of losses for boxes: one module for each name in `train.bbox_loss`.

Each module defines the constant `LOSS`, a `BoxLoss`. Boxes are relative corners, `[batch, 4]`;
the loss is `[batch]` before reduction.
"""

from collections.abc import Callable

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras

from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import ModelSpec
from mnist_localization.registry import load_module, module_names

BoxLoss = Callable[[ModelSpec], keras.losses.Loss]

FOLDER = "models/losses"
# Added to denominators, so that gradients are finite for boxes without area.
EPSILON = 1e-6


def box_loss(name: str, spec: ModelSpec) -> keras.losses.Loss:
    """Create a loss of the registry.

    Args:
        name: Name of its module.
        spec: Properties of the data.

    Raises:
        ModelError: The name is unknown.
    """
    if name not in module_names(FOLDER):
        known = ", ".join(module_names(FOLDER))
        raise ModelError(f"train.bbox_loss is {name!r}; choose one of {known}")
    create: BoxLoss = load_module(FOLDER, name).LOSS
    return create(spec)
