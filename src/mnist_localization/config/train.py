"""The section `train`."""

from typing import Annotated, Any, Literal

from pydantic import Field

from mnist_localization.config.base import (
    PositiveFloat,
    PositiveInt,
    Settings,
)


class EarlyStoppingSettings(Settings):
    """When to stop before the last epoch, and which epoch's weights to keep.

    Attributes:
        monitor: Any logged metric; its best epoch gives the weights.
        mode: Whether a smaller (`min`) or a larger (`max`) value is better.
        patience: Epochs without improvement before training stops; 0 never stops early.
        min_delta: Change that counts as an improvement.
    """

    monitor: str
    mode: Literal["min", "max"]
    patience: Annotated[int, Field(ge=0)]
    min_delta: Annotated[float, Field(ge=0.0)]


class LossWeights(Settings):
    """Weight of each head's loss in the sum."""

    label: Annotated[float, Field(ge=0.0)]
    bbox: Annotated[float, Field(ge=0.0)]


class AugmentationSettings(Settings):
    """How training images are changed on the fly; boxes follow.

    Attributes:
        share: Share of the images that are changed; 0 switches augmentation off.
        noise: Largest standard deviation of the noise, as a share of the full scale.
        brightness: Largest amount added or taken, as a share of the full scale.
        contrast: Largest loss of contrast; 0.6 leaves four tenths of it.
        clutter: Whether fragments of other objects are strewn over the image.
        scale: Largest growth of the object; 0.5 makes it up to 1.5 times larger or smaller.
    """

    share: Annotated[float, Field(ge=0.0, le=1.0)]
    noise: Annotated[float, Field(ge=0.0, le=1.0)]
    brightness: Annotated[float, Field(ge=0.0, le=1.0)]
    contrast: Annotated[float, Field(ge=0.0, lt=1.0)]
    clutter: bool
    scale: Annotated[float, Field(ge=0.0)]


class TrainSettings(Settings):
    """The section `train`.

    Attributes:
        architecture: Name in the registry of architectures.
        architectures: Name to that architecture's own settings.
        epochs: Epochs at most.
        batch_size: Images a step.
        learning_rate: Rate of the Adam optimizer (the peak, with a schedule).
        schedule: `constant`, or `cosine`: warm-up, then decay to zero over all epochs.
        bbox_loss: Name of the loss of the head `bbox`.
        loss_weights: Weight of each head's loss.
        augmentation: How training images are changed on the fly.
        early_stopping: Stopping, and the choice of the best epoch.
        resume: Whether a killed training goes on from its last finished epoch.
        deterministic: Whether TensorFlow is held to repeatable operations.
    """

    architecture: str
    architectures: dict[str, dict[str, Any]]
    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    schedule: Literal["constant", "cosine"]
    bbox_loss: str
    loss_weights: LossWeights
    augmentation: AugmentationSettings
    early_stopping: EarlyStoppingSettings
    resume: bool
    deterministic: bool
