"""What all sections of the configuration share."""

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, lt=1.0)]
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]


def _plain_file_name(value: str) -> str:
    if not value or value in {".", ".."} or value != PurePosixPath(value).name or "\\" in value:
        raise ValueError(f"{value!r} is not a plain file name; give a name without folders")
    return value


def _none_to_empty(value: object) -> object:
    return "" if value is None else value


FileName = Annotated[str, Field(min_length=1), BeforeValidator(_plain_file_name)]
# `--params fetch.base_url=` arrives as None: an empty value means unset.
OptionalText = Annotated[str, BeforeValidator(_none_to_empty)]


class Settings(BaseModel):
    """Base of all sections: frozen, and a key that does nothing is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
