"""Loading of saved localizers, and views and facts of a loaded one."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
import pandas as pd

from mnist_localization.errors import ModelError
from mnist_localization.models import architecture, losses
from mnist_localization.models.architecture import BBOX, BBOX_CONFIDENCE, LABEL, PRESENCE, RAW_BOX
from mnist_localization.models.layers import ImageInput
from mnist_localization.models.provenance import Provenance, model_fingerprint, run_name
from mnist_localization.registry import load_modules

_LONGEST_REASON = 300  # characters


def provenance(localizer: keras.Model) -> Provenance:
    """Return the facts about its training that a model carries.

    Args:
        localizer: A Keras model.

    Returns:
        The stored facts; no facts for a foreign model or if the stored ones are not valid.
    """
    for layer in localizer.layers:
        if isinstance(layer, ImageInput):
            return Provenance.from_json(layer.provenance)
    return Provenance()


def run_of(localizer: keras.Model) -> str:
    """Return the name of the run that trained a model."""
    return run_name(provenance(localizer), model_fingerprint(localizer))


def prediction_model(localizer: keras.Model) -> keras.Model:
    """Add the box before clipping and snapping to the outputs of a localizer.

    Args:
        localizer: Model from images 0..255 to a dict with `label` and `bbox`.

    Returns:
        Model with the same weights and the outputs `label` `[batch, classes]`, `bbox` and
        `bbox_raw` `[batch, 4]`; the last two are equal if the model has no layer `bbox_raw`. The
        optional outputs `bbox_confidence` and `presence` are kept, `[batch, 1]`.

    Raises:
        ModelError: The model does not have the two heads.
    """
    output = getattr(localizer, "output", None)
    if not isinstance(output, dict) or not {LABEL, BBOX} <= set(output):
        raise ModelError(
            f"the model {localizer.name!r} must return a dict with `label` and `bbox`; train one "
            "with `kedro run --pipelines=train`"
        )
    names = {layer.name for layer in localizer.layers}
    raw = localizer.get_layer(RAW_BOX).output if RAW_BOX in names else output[BBOX]
    kept = {
        name: output[name] for name in (LABEL, BBOX, BBOX_CONFIDENCE, PRESENCE) if name in output
    }
    return keras.Model(localizer.input, kept | {RAW_BOX: raw}, name=f"{localizer.name}_prediction")


def computed_in_float32(localizer: keras.Model) -> keras.Model:
    """Return a model without mixed precision, which some export formats do not support.

    Args:
        localizer: A functional model.

    Returns:
        The model itself if it computes in float32, otherwise a copy that does.
    """
    if all(layer.compute_dtype == "float32" for layer in localizer.layers):
        return localizer
    copy = keras.models.clone_model(
        localizer,
        clone_function=lambda layer: type(layer).from_config(
            {**layer.get_config(), "dtype": "float32"}
        ),
    )
    copy.set_weights(localizer.get_weights())
    return copy


def layer_table(model: keras.Model) -> pd.DataFrame:
    """Describe the layers of a model in the order in which they are computed.

    Args:
        model: A functional model.

    Returns:
        One row for each layer: `layer`, `type`, `output_shape` without the batch (`25 x 25 x 16`;
        several outputs are joined by `, `), `parameters`, and `inputs`, the names of the layers
        whose outputs it takes, joined by `, `.
    """
    inputs = {
        entry["name"]: list(dict.fromkeys(_producers(entry["inbound_nodes"])))
        for entry in model.get_config()["layers"]
    }
    rows = [
        {
            "layer": layer.name,
            "type": type(layer).__name__,
            "output_shape": ", ".join(
                _shape_text(tensor.shape) for tensor in keras.tree.flatten(layer.output)
            ),
            "parameters": layer.count_params(),
            "inputs": ", ".join(inputs[layer.name]),
        }
        for layer in _producers_first(model.layers, inputs)
    ]
    return pd.DataFrame(rows)


def _producers_first(
    layers: Sequence[keras.layers.Layer], inputs: Mapping[str, Sequence[str]]
) -> Iterator[keras.layers.Layer]:
    """Yield layers in their order, but after all layers whose outputs they take.

    Keras lists a layer that is called more than once at its first call.
    """
    waiting, placed = list(layers), set[str]()
    while waiting:
        layer = next(each for each in waiting if placed.issuperset(inputs[each.name]))
        waiting.remove(layer)
        placed.add(layer.name)
        yield layer


def _shape_text(shape: Sequence[int | None]) -> str:
    return " x ".join(str(length) for length in shape[1:])


def _producers(serialized: Any) -> Iterator[str]:
    """Yield the names of the layers whose outputs a serialized call takes, in order."""
    if isinstance(serialized, dict):
        if "keras_history" in serialized:
            yield serialized["keras_history"][0]
        else:
            for value in serialized.values():
                yield from _producers(value)
    elif isinstance(serialized, list | tuple):
        for value in serialized:
            yield from _producers(value)


def load_localizer(path: Path) -> keras.Model:
    """Load a localizer in Keras' safe mode.

    Args:
        path: A `.keras` file.

    Returns:
        Model from images to a dict with `label` and `bbox`.

    Raises:
        ModelError: The file is missing, damaged or not a `.keras` file, would run its own code
            when loaded, or contains a model that is not a localizer.
    """
    if not path.is_file():
        raise ModelError(
            f"{path}: the model file does not exist; train a model with "
            "`kedro run --pipelines=train`"
        )
    if not zipfile.is_zipfile(path):
        raise ModelError(
            f"{path}: not a complete `.keras` file (another format, or truncated); copy it again, "
            "or train a model with `kedro run --pipelines=train`"
        )
    with loadable(str(path)):
        localizer = keras.saving.load_model(path, compile=False, safe_mode=True)
    prediction_model(localizer)
    if len(localizer.input_shape) != 4:
        raise ModelError(
            f"{path}: the model takes inputs of shape {localizer.input_shape}; a localizer takes "
            "images [batch, height, width, channels]"
        )
    return localizer


@contextmanager
def loadable(name: str) -> Iterator[None]:
    """Register all serializable objects of the project, and convert errors of Keras on loading.

    Args:
        name: Name of the model in error messages.

    Raises:
        ModelError: The file is damaged, or would run its own code when loaded.
    """
    for folder in (architecture.FOLDER, losses.FOLDER):
        load_modules(folder)
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can make Keras raise nearly any exception
        raise ModelError(
            f"{name}: cannot load the model in Keras' safe mode: {_reason(error)}; train one with "
            "`kedro run --pipelines=train`"
        ) from error


def _reason(error: Exception) -> str:
    """Return the reason in one sentence; messages of Keras contain whole configurations."""
    text = " ".join(str(error).split())
    if "`Lambda` layer" in text:
        return "it contains a Lambda layer, which would run code from the file"
    text = text.rpartition("Exception encountered: ")[2] or type(error).__name__
    return text.partition(". ")[0][:_LONGEST_REASON].rstrip(".")
