"""The section `train`, as written and with the defaults of its architecture."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from mnist_localization.config import (
    NotNegative,
    OptionalText,
    PositiveFloat,
    PositiveInt,
    Settings,
    Share,
    registered_name,
)

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
_SMALLEST_BATCH = 16
ArchitectureName = Annotated[str, registered_name("models/architectures")]


class EarlyStoppingSettings(Settings):
    """Rule that ends a training early and chooses the best epoch."""

    monitor: str
    mode: Literal["min", "max"]
    patience: Annotated[int, Field(ge=0)]
    min_delta: NotNegative


class LossWeights(Settings):
    """Weights of the losses of the two heads in the total loss."""

    label: NotNegative
    bbox: NotNegative


class AugmentationSettings(Settings):
    """Share of the training images that are augmented, and the strength of each change.

    A strength of 0 turns a change off.
    """

    preset: Literal["digits", "photos", "none"]
    share: Fraction
    combine: bool
    flip: Fraction
    translation: Fraction
    scale: NotNegative
    rotation: Annotated[float, Field(ge=0.0, le=180.0)]
    shear: Annotated[float, Field(ge=0.0, le=60.0)]
    clutter: Annotated[int, Field(ge=0)]
    cutout: Fraction
    blur: Annotated[float, Field(ge=0.0, le=10.0)]
    brightness: Fraction
    contrast: Share
    color: Fraction
    noise: Fraction


# Values of `train.augmentation` by `preset`; single parameters override them.
PRESETS = {
    # Symbols on a plain background, which a flip or a rotation would turn into other symbols.
    "digits": AugmentationSettings(
        preset="digits",
        share=0.2,
        combine=False,
        flip=0.0,
        translation=0.0,
        scale=0.5,
        rotation=0.0,
        shear=0.0,
        clutter=8,
        cutout=0.0,
        blur=0.0,
        brightness=0.25,
        contrast=0.6,
        color=0.0,
        noise=0.2,
    ),
    # Few photographs of objects that look alike from the left and from the right.
    "photos": AugmentationSettings(
        preset="photos",
        share=0.9,
        combine=True,
        flip=0.5,
        translation=0.2,
        scale=0.3,
        rotation=5.0,
        shear=3.0,
        clutter=4,
        cutout=0.4,
        blur=1.0,
        brightness=0.2,
        contrast=0.4,
        color=0.4,
        noise=0.05,
    ),
    # Every change is off, so that a single parameter turns a single change on.
    "none": AugmentationSettings(
        preset="none",
        share=1.0,
        combine=True,
        flip=0.0,
        translation=0.0,
        scale=0.0,
        rotation=0.0,
        shear=0.0,
        clutter=0,
        cutout=0.0,
        blur=0.0,
        brightness=0.0,
        contrast=0.0,
        color=0.0,
        noise=0.0,
    ),
}


class PhaseSettings(Settings):
    """One phase of a training; it starts from the best weights of the phase before."""

    epochs: PositiveInt
    freeze: tuple[str, ...] = ()
    learning_rate: PositiveFloat | None = None


class TrainingDefaults(Settings):
    """Values of the section `train` that an architecture provides for keys that are null."""

    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    weight_decay: NotNegative
    schedule: Literal["constant", "cosine"]
    bbox_loss: Annotated[str, registered_name("models/losses")]
    loss_weights: LossWeights
    augmentation: AugmentationSettings
    early_stopping: EarlyStoppingSettings

    def scaled(self, reference_images: int, train_images: int) -> "TrainingDefaults":
        """Return the defaults for another number of training images.

        A smaller dataset gets more epochs, and smaller batches, so that the number of steps falls
        more slowly than the number of images. A larger dataset gets fewer epochs of the same
        batches.

        Args:
            reference_images: Number of training images that these values are for.
            train_images: Number of training images.
        """
        ratio = reference_images / train_images
        batch_size = self.batch_size
        while batch_size > _SMALLEST_BATCH and batch_size > 1.4 * self.batch_size / ratio ** (
            1 / 3
        ):
            batch_size //= 2
        return self.model_copy(
            update={
                "epochs": max(1, round(self.epochs * ratio**0.25)),
                "batch_size": batch_size,
                "learning_rate": self.rate_for(batch_size),
            }
        )

    def rate_for(self, batch_size: int) -> float:
        """Return the learning rate for another batch size.

        It is proportional to a smaller size, and to the square root of a larger one, because a
        large rate makes the first epochs unstable.
        """
        ratio = batch_size / self.batch_size
        factor: float = min(ratio, ratio**0.5)
        return self.learning_rate * factor


class _CommonSettings(Settings):
    """Keys of the section `train` without a default of the architecture."""

    architecture: ArchitectureName
    phases: tuple[PhaseSettings, ...]
    initial_weights: OptionalText
    class_weights: Literal["none", "balanced"] | dict[str, PositiveFloat]
    resume: bool
    deterministic: bool
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"]
    xla: bool
    multi_gpu: bool

    @model_validator(mode="after")
    def _require_repeatable_operations(self) -> "_CommonSettings":
        if self.xla and self.deterministic:
            raise ValueError(
                "train.xla requires train.deterministic=false, because Keras does not compile "
                "steps while operations must be deterministic"
            )
        return self


class ResolvedTrainSettings(_CommonSettings, TrainingDefaults):
    """The section `train` of one architecture without any null.

    Attributes:
        of_architecture: Values of the settings model of the architecture.
    """

    of_architecture: dict[str, Any]

    @property
    def planned_phases(self) -> tuple[PhaseSettings, ...]:
        """Return the phases; if none are configured, one phase that trains all layers."""
        return self.phases or (PhaseSettings(epochs=self.epochs),)

    @property
    def planned_epochs(self) -> int:
        """Return the maximum number of epochs of all phases together."""
        return sum(phase.epochs for phase in self.planned_phases)

    def to_json(self) -> dict[str, Any]:
        """Return the values that determine a training, as JSON values."""
        return self.model_dump(mode="json", exclude={"resume"})


def _nullable(model: type[Settings]) -> Any:
    """Return a copy of a model in which each value, at any depth, may be `None`."""
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        annotation: Any = field.annotation
        is_section = isinstance(annotation, type) and issubclass(annotation, Settings)
        annotation = _nullable(annotation) if is_section else field.rebuild_annotation()
        fields[name] = (annotation | None, None)
    return create_model(f"Nullable{model.__name__}", __base__=Settings, **fields)


# Not a class statement, so that each limit is written once.
_NullableDefaults: Any = _nullable(TrainingDefaults)


class TrainSettings(_CommonSettings, _NullableDefaults):
    """The section `train` as written; null keys take the defaults of the architecture."""

    architectures: dict[ArchitectureName, dict[str, Any] | None] = Field(default_factory=dict)

    def with_defaults(
        self,
        defaults: TrainingDefaults,
        scaled: TrainingDefaults,
        of_architecture: Mapping[str, Any],
    ) -> ResolvedTrainSettings:
        """Fill the keys that are null.

        A preset of the augmentation replaces all defaults of the augmentation.

        Args:
            defaults: Training defaults of the architecture, for its reference number of images.
            scaled: The same for the number of training images.
            of_architecture: Validated settings of the architecture.
        """
        given = self.model_dump(exclude={"architectures"}, exclude_none=True)
        if preset := given.get("augmentation", {}).get("preset"):
            scaled = scaled.model_copy(update={"augmentation": PRESETS[preset]})
        values = _merge(scaled.model_dump(), given)
        if "learning_rate" not in given:
            values["learning_rate"] = defaults.rate_for(values["batch_size"])
        return ResolvedTrainSettings(**values, of_architecture=dict(of_architecture))


def _merge(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**defaults, **given}
    for name in defaults.keys() & given.keys():
        if isinstance(given[name], Mapping):
            merged[name] = _merge(defaults[name], given[name])
    return merged
