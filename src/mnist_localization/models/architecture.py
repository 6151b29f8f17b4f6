"""Architectures by name: adding one means adding one file beside this one."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
from pydantic import ValidationError

from mnist_localization.config import Settings
from mnist_localization.errors import ModelError
from mnist_localization.models import architectures
from mnist_localization.models.provenance import Provenance
from mnist_localization.models.statistics import BoxStatistics


@dataclass(frozen=True)
class ModelSpec:
    """What the data asks of a model.

    Attributes:
        height: Rows of the images.
        width: Columns of the images.
        channels: 1 for gray, 3 for color.
        classes: Number of classes.
        whole_pixel_boxes: Whether the annotated boxes lie on whole pixels.
        provenance: Facts about the training that the saved model carries.
        box_statistics: What the training boxes have in common.
    """

    height: int
    width: int
    channels: int
    classes: int
    whole_pixel_boxes: bool
    provenance: Provenance = field(default_factory=Provenance)
    box_statistics: BoxStatistics = field(default_factory=BoxStatistics)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels


@dataclass(frozen=True)
class Network:
    """One set of weights in two views.

    Attributes:
        trainable: Model that is fitted: images 0..255 to `label` and `bbox`, both smooth,
            and any auxiliary boxes.
        localizer: Model that is saved: `label` and `bbox`, snapped where configured.
        auxiliary_boxes: Further outputs of `trainable` that are taught the box, with the
            weight of their loss.
    """

    trainable: keras.Model
    localizer: keras.Model
    auxiliary_boxes: Mapping[str, float] = field(default_factory=dict)


AnySettings = TypeVar("AnySettings", bound=Settings)
Builder = Callable[[AnySettings, ModelSpec], Network]

_BUILDERS: dict[str, tuple[type[Settings], Callable[[Any, ModelSpec], Network]]] = {}


def architecture(
    name: str, settings: type[AnySettings]
) -> Callable[[Builder[AnySettings]], Builder[AnySettings]]:
    """Decorator that puts a builder into the registry.

    Args:
        name: Name of the architecture, as in `train.architecture`.
        settings: Model of its section `train.architectures.<name>`.
    """

    def register(builder: Builder[AnySettings]) -> Builder[AnySettings]:
        _BUILDERS[name] = (settings, builder)
        return builder

    return register


def build_network(name: str, settings: Mapping[str, Any], spec: ModelSpec) -> Network:
    """Build an architecture with fresh weights.

    Args:
        name: Its name in the registry.
        settings: Its own section of the parameters.
        spec: What the data asks of it.

    Raises:
        ModelError: The name is unknown, or the settings are wrong.
    """
    known = known_architectures()
    if name not in known:
        raise ModelError(
            f"train.architecture is {name!r}, but the architectures are {', '.join(sorted(known))}"
        )
    settings_type, builder = known[name]
    try:
        checked = settings_type.model_validate(dict(settings))
    except ValidationError as error:
        raise ModelError(f"train.architectures.{name} is wrong: {error}") from error
    return builder(checked, spec)


@cache
def known_architectures() -> dict[str, tuple[type[Settings], Callable[[Any, ModelSpec], Network]]]:
    """Name to settings and builder of every architecture; their layers are registered too."""
    for module in pkgutil.iter_modules(architectures.__path__):
        importlib.import_module(f"{architectures.__name__}.{module.name}")
    return _BUILDERS
