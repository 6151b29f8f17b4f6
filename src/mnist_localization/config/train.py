"""The section `train`."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

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


class PhaseSettings(Settings):
    """One phase of a training; it starts from the best weights of the one before.

    Attributes:
        epochs: Epochs at most.
        freeze: Names of the layers that keep their weights; `*` stands for anything.
        learning_rate: Rate of the phase; none takes that of the section.
    """

    epochs: PositiveInt
    freeze: tuple[str, ...] = ()
    learning_rate: PositiveFloat | None = None


class TrainSettings(Settings):
    """The section `train`.

    Attributes:
        architecture: Name in the registry of architectures.
        architectures: Name to that architecture's own settings.
        epochs: Epochs at most, where no phases are given.
        phases: Trained one after the other; none is one phase of all layers.
        batch_size: Images a step.
        learning_rate: Rate of the Adam optimizer (the peak, with a schedule).
        weight_decay: Of AdamW: share of each weight that a step takes away, over the step's
            learning rate; 0 is Adam.
        schedule: `constant`, or `cosine`: warm-up, then decay to zero over all epochs.
        bbox_loss: Name of the loss of the head `bbox`.
        loss_weights: Weight of each head's loss.
        augmentation: How training images are changed on the fly.
        early_stopping: Stopping, and the choice of the best epoch.
        resume: Whether a killed training goes on from its last finished epoch.
        deterministic: Whether TensorFlow is held to repeatable operations.
        precision: Keras' policy: numbers of what type the layers calculate with.
        xla: Whether the training step is compiled by XLA; not while `deterministic`.
        multi_gpu: Whether each batch is shared among all GPUs (`MirroredStrategy`).
    """

    architecture: str
    architectures: dict[str, dict[str, Any]]
    epochs: PositiveInt
    phases: tuple[PhaseSettings, ...] = ()
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    schedule: Literal["constant", "cosine"]
    bbox_loss: Literal["mse", "huber", "pixel", "iou", "giou", "diou", "ciou"]
    loss_weights: LossWeights
    augmentation: AugmentationSettings
    early_stopping: EarlyStoppingSettings
    resume: bool
    deterministic: bool
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    xla: bool = False
    multi_gpu: bool = False

    @model_validator(mode="after")
    def _architecture_is_described(self) -> "TrainSettings":
        if self.architecture not in self.architectures:
            raise ValueError(
                f"train.architecture is {self.architecture!r}, but train.architectures has "
                f"{', '.join(sorted(self.architectures))}"
            )
        return self

    @model_validator(mode="after")
    def _compiled_steps_do_not_repeat(self) -> "TrainSettings":
        if self.xla and self.deterministic:
            raise ValueError(
                "train.xla needs train.deterministic=false: Keras compiles no step whose "
                "operations must repeat to the bit"
            )
        return self

    @property
    def planned_phases(self) -> tuple[PhaseSettings, ...]:
        """The phases; without any, the one that trains all layers for all epochs."""
        return self.phases or (PhaseSettings(epochs=self.epochs),)

    @property
    def planned_epochs(self) -> int:
        """Epochs at most, of all phases together."""
        return sum(phase.epochs for phase in self.planned_phases)
