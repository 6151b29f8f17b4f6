"""What a loaded model says of itself, and guards around loading one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from mnist_localization.errors import ModelError
from mnist_localization.models.layers import ImageInput


def provenance(localizer: keras.Model) -> dict[str, Any]:
    """What a model knows of its training data; empty for a model that was not made here."""
    for layer in localizer.layers:
        if isinstance(layer, ImageInput):
            return layer.provenance
    return {}


def prediction_model(localizer: keras.Model) -> keras.Model:
    """The localizer with a third output: the box before any snapping.

    Args:
        localizer: Images 0..255 to a dict `label` and `bbox`.

    Returns:
        The same weights with outputs `label` `[batch, classes]`, `bbox` and `bbox_raw`
        `[batch, 4]`; the last two are equal when the model has no layer `bbox_raw`.

    Raises:
        ModelError: The model has not the two heads.
    """
    output = getattr(localizer, "output", None)
    if not isinstance(output, dict) or not {"label", "bbox"} <= set(output):
        raise ModelError(
            f"the model {localizer.name!r} must give a dict with `label` and `bbox`; train one "
            "with `kedro run --pipeline=train`"
        )
    names = {layer.name for layer in localizer.layers}
    raw = localizer.get_layer("bbox_raw").output if "bbox_raw" in names else output["bbox"]
    outputs = {"label": output["label"], "bbox": output["bbox"], "bbox_raw": raw}
    return keras.Model(localizer.input, outputs, name=f"{localizer.name}_prediction")


@contextmanager
def loadable(name: str) -> Iterator[None]:
    """Turns Keras' errors on loading a model file into ours.

    Args:
        name: What is being loaded, for the message.

    Raises:
        ModelError: The file is damaged, or would run code of its own when loaded.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise ModelError(
            f"{name}: the model cannot be loaded in Keras' safe mode ({error}); train one with "
            "`kedro run --pipeline=train`"
        ) from error
