"""The section `check`."""

from typing import Annotated

from pydantic import Field

from mnist_localization.config.base import PositiveInt, Settings


class CheckSettings(Settings):
    """The section `check`.

    Attributes:
        listed: Findings of one kind that the page lists at most; the table holds all.
        rare_class: A class with fewer images than this in a split is pointed out.
        small_box: A box with a side shorter than this, in pixels of the model's input, is
            pointed out.
    """

    listed: PositiveInt = 100
    rare_class: Annotated[int, Field(ge=0)] = 20
    small_box: Annotated[float, Field(ge=0.0)] = 6.0
