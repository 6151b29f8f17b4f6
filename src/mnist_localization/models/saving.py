"""What a loaded model says of itself, and guards around loading one."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
import pandas as pd

from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import known_architectures
from mnist_localization.models.layers import ImageInput
from mnist_localization.models.provenance import Provenance

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


def computed_in_float32(localizer: keras.Model) -> keras.Model:
    """The same model without mixed precision, which not every format has.

    Args:
        localizer: A functional model.

    Returns:
        The model itself where it computes in float32 already, else a copy that does.
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
    """The layers of a model in the order in which they are computed.

    Args:
        model: A functional model.

    Returns:
        One row a layer: `layer`, `type`, `output_shape` without the batch (`25 x 25 x 16`;
        several outputs are joined by `, `), `parameters`, and `inputs`, the layers that it
        takes its input from, joined by `, `.
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
    """Layers in their order, but behind all whose outputs they take.

    Keras puts a layer that is called more than once where its first call is.
    """
    waiting, placed = list(layers), set[str]()
    while waiting:
        layer = next(each for each in waiting if placed.issuperset(inputs[each.name]))
        waiting.remove(layer)
        placed.add(layer.name)
        yield layer


def _shape_text(shape: Sequence[int | None]) -> str:
    return " x ".join(str(length) for length in shape[1:])


def _producers(described: Any) -> Iterator[str]:
    """Names of the layers whose outputs a serialized call takes, in order."""
    if isinstance(described, dict):
        if "keras_history" in described:
            yield described["keras_history"][0]
        else:
            for value in described.values():
                yield from _producers(value)
    elif isinstance(described, list | tuple):
        for value in described:
            yield from _producers(value)


def load_localizer(path: Path) -> keras.Model:
    """A saved localizer, loaded in Keras' safe mode.

    Args:
        path: A `.keras` file.

    Returns:
        The model; its inputs are images, its outputs `label` and `bbox`.

    Raises:
        ModelError: The file is missing, damaged, of another kind, would run code of its own
            when loaded, or holds a model that is no localizer.
    """
    if not path.is_file():
        raise ModelError(
            f"{path}: there is no such model file; train one with `kedro run --pipeline=train`"
        )
    if not zipfile.is_zipfile(path):
        raise ModelError(
            f"{path}: this is no whole `.keras` file (it is of another format, or cut off); copy "
            "it again, or train a model with `kedro run --pipeline=train`"
        )
    with loadable(str(path)):
        localizer = keras.saving.load_model(path, compile=False, safe_mode=True)
    prediction_model(localizer)
    if len(localizer.input_shape) != 4:
        raise ModelError(f"{path}: the model takes {localizer.input_shape}, and no images")
    return localizer


@contextmanager
def loadable(name: str) -> Iterator[None]:
    """Makes a saved model loadable, and turns Keras' errors on loading it into ours.

    Args:
        name: What is being loaded, for the message.

    Raises:
        ModelError: The file is damaged, or would run code of its own when loaded.
    """
    # Whatever architecture the file holds: its layers are found by their registered names.
    known_architectures()
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # a broken file can make Keras raise nearly anything
        raise ModelError(
            f"{name}: the model cannot be loaded in Keras' safe mode: {_reason(error)}; train one "
            "with `kedro run --pipeline=train`"
        ) from error


def _reason(error: Exception) -> str:
    """What Keras says, in a sentence: its messages hold whole configurations."""
    text = " ".join(str(error).split())
    if "`Lambda` layer" in text:
        return "it holds a Lambda layer, which would run code of the file's own, and is refused"
    text = text.rpartition("Exception encountered: ")[2] or type(error).__name__
    return text.partition(". ")[0][:_LONGEST_REASON].rstrip(".")
