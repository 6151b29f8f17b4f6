"""Typed configuration: one frozen model per section of the parameters.

Kedro validates the node input `params:<section>` against the model that annotates it before any
node runs, so a misspelled key or an invalid value fails at once.
"""

from functools import partial
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from mnist_localization.registry import module_names

Share = Annotated[float, Field(ge=0.0, lt=1.0)]
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]


def _plain_file_name(value: str) -> str:
    if not value or value in {".", ".."} or value != PurePosixPath(value).name or "\\" in value:
        raise ValueError(f"{value!r} is not a plain file name; give a name without folders")
    return value


def _none_to_empty(value: object) -> object:
    return "" if value is None else value


FileName = Annotated[str, Field(min_length=1), BeforeValidator(_plain_file_name)]
# `--params fetch.base_url=` arrives as `None`; treat it as unset.
OptionalText = Annotated[str, BeforeValidator(_none_to_empty)]


def registered_name(folder: str, *others: str) -> AfterValidator:
    """Return a validator that accepts the names in a registry folder.

    Nothing is imported from the folder, so validation does not load Keras.

    Args:
        folder: Registry folder relative to the package, for example `models/architectures`.
        *others: Further names that are accepted.

    Example:
        `architecture: Annotated[str, registered_name("models/architectures")]`
    """
    return AfterValidator(partial(_require_module, folder, others))


def _require_module(folder: str, others: tuple[str, ...], name: str) -> str:
    if name not in (*others, *module_names(folder)):
        known = ", ".join((*others, *module_names(folder)))
        raise ValueError(f"{name!r} is not a module in {folder}; choose one of {known}")
    return name


class Settings(BaseModel):
    """Base class of all sections: frozen, with unknown keys rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")
