"""The section `predict`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from mnist_localization.config.base import PositiveInt, Settings


def _path_text(value: Any) -> str:
    """A path as text; `--params` reads values as YAML, where a path may be something else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(
            f"was read as the YAML value {value!r}, and has to be text; quote it twice: "
            "--params 'predict.images=\"photos/a: b.png\"'"
        )
    return value.strip()


PathText = Annotated[str, BeforeValidator(_path_text)]


class PredictSettings(Settings):
    """The section `predict`.

    Attributes:
        images: A file, a folder (with the folders below it) or a glob pattern; a relative one
            starts at the project.
        output: Folder that gets the results; a relative one starts at the project.
        batch_size: Images predicted at once.
        invert: Whether dark becomes light before the model looks: never, always, or (`auto`)
            for images that look more like the training images that way.
        overlays: How many images are drawn with their boxes, at most.
    """

    images: PathText
    output: Annotated[PathText, Field(min_length=1)]
    batch_size: PositiveInt
    invert: Literal["auto"] | bool
    overlays: Annotated[int, Field(ge=0)]
