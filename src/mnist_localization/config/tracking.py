"""The section `wandb`."""

from typing import Annotated, Literal

from pydantic import Field

from mnist_localization.config.base import OptionalText, PositiveFloat, PositiveInt, Settings


class EpochSampleSettings(Settings):
    """The validation images that are predicted and logged during training.

    Attributes:
        images: How many; at most 108, what W&B shows of a list.
        every: Log them every so many epochs.
        sets: Box sets shown.
    """

    images: Annotated[int, Field(ge=0, le=108)]
    every: PositiveInt
    sets: tuple[Literal["predictions", "ground_truth"], ...]


class WandbSettings(Settings):
    """The section `wandb`.

    Attributes:
        mode: `auto` is what `WANDB_MODE` says, else online when a key is configured, else
            offline; the others are as said, whatever `WANDB_MODE` says.
        project: W&B project.
        entity: W&B user or team; empty takes the account's default.
        group: Name shared by the runs of one training; empty derives it from the training.
        timeout_s: Seconds that W&B may cost in all when its server does not answer.
        epoch_sample: What is logged during training.
    """

    mode: Literal["auto", "online", "offline", "disabled"]
    project: Annotated[str, Field(min_length=1)]
    entity: OptionalText
    group: OptionalText
    timeout_s: PositiveFloat
    epoch_sample: EpochSampleSettings
