"""Settings of the stages after training: evaluate, compare, publish, predict, export and W&B.

The comments in `conf/base/parameters_*.yml` explain each parameter.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from mnist_localization.config import (
    OptionalText,
    PositiveFloat,
    PositiveInt,
    Settings,
    registered_name,
)
from mnist_localization.registry import module_names

# W&B truncates longer lists of images.
WANDB_MAX_IMAGES = 108
_EXPORT_FORMATS = "export/formats"


def _words(value: object) -> object:
    """Split a text into words, because `--params` cannot pass a list; `None` is an empty text."""
    if value is None:
        return ()
    return tuple(str(value).split()) if isinstance(value, str | int) else value


def _registry_path(value: str) -> str:
    """Require `project/collection`, optionally after an organization or entity."""
    parts = value.split("/")
    if value and (len(parts) not in (2, 3) or not all(map(str.strip, parts)) or ":" in value):
        raise ValueError(
            f"{value!r} is not a registry path; give <registry>/<collection>, optionally after "
            "<organization>/ and without an alias, such as wandb-registry-model/mnist-localizer"
        )
    return value


def _registry_aliases(value: tuple[str, ...]) -> tuple[str, ...]:
    """Require aliases that W&B accepts."""
    for alias in value:
        if not alias.strip() or set(alias) & set("/:"):
            raise ValueError(f"the alias {alias!r} must be a text without `/` and `:`")
    return value


def _path_text(value: object) -> str:
    """Require a text, because `--params` parses values as YAML."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(
            f"was parsed as the YAML value {value!r}, but must be text; quote it twice: "
            "--params 'predict.images=\"photos/a: b.png\"'"
        )
    return value.strip()


Count = Annotated[int, Field(ge=0)]
NotNegative = Annotated[float, Field(ge=0.0)]
PathText = Annotated[str, BeforeValidator(_path_text)]
# Run, `latest`, `best` or path; see `models.runs.Runs`.
ModelReference = Annotated[PathText, Field(min_length=1)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
FormatName = Annotated[str, registered_name(_EXPORT_FORMATS)]


class EvaluateSettings(Settings):
    """The section `evaluate`."""

    model: ModelReference
    batch_size: PositiveInt
    on_stale: Literal["warn", "error"]
    bootstrap_resamples: PositiveInt
    calibration_bins: PositiveInt
    position_grid: PositiveInt
    contact_sheet: Annotated[int, Field(gt=0, le=120)]
    robustness: bool


class CompareSettings(Settings):
    """The section `compare`."""

    runs: Words
    latest: Annotated[int, Field(ge=2)]
    images: Count


class RepeatSettings(Settings):
    """The section `repeat`."""

    seeds: Annotated[tuple[int, ...], BeforeValidator(_words)]
    architectures: Annotated[
        tuple[Annotated[str, registered_name("models/architectures")], ...],
        BeforeValidator(_words),
    ]
    dataset_seeds: Annotated[tuple[int, ...], BeforeValidator(_words)]
    folds: Annotated[int, Field(ge=0)]
    keep: bool

    @field_validator("folds")
    @classmethod
    def _check_folds(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("one fold leaves no training images; set 0 or at least 2")
        return folds


class GallerySettings(Settings):
    """Numbers of test images to show, by kind."""

    worst: Count
    mistakes: Count
    random: Count


class PublishSettings(Settings):
    """The section `publish`."""

    gallery: GallerySettings

    @field_validator("gallery")
    @classmethod
    def _check_gallery(cls, gallery: GallerySettings) -> GallerySettings:
        for name, images in gallery:
            if images > WANDB_MAX_IMAGES:
                raise ValueError(
                    f"{name} is {images}, but W&B shows at most {WANDB_MAX_IMAGES} images of a "
                    f"kind; set at most {WANDB_MAX_IMAGES}, so that page and W&B show the same"
                )
        return gallery


class PredictSettings(Settings):
    """The section `predict`."""

    model: ModelReference
    images: PathText
    output: Annotated[PathText, Field(min_length=1)]
    batch_size: PositiveInt
    invert: Literal["auto"] | bool
    overlays: Count
    formats: tuple[Annotated[str, registered_name("data/annotations/formats")], ...]


class ToleranceSettings(Settings):
    """Largest allowed differences between an exported file and the Keras model."""

    probability: NotNegative
    box_pixels: NotNegative
    label_accuracy: NotNegative
    mean_iou: NotNegative


class ModelCardSettings(Settings):
    """Texts of the model card about the dataset."""

    title: Annotated[str, Field(min_length=1)]
    intended_use: str
    limits: tuple[str, ...]
    data_license: tuple[str, ...]


class ExportSettings(Settings):
    """The section `export`."""

    model: ModelReference
    formats: Annotated[tuple[FormatName, ...], Field(min_length=1)]
    checked_images: Count
    batch_size: PositiveInt
    representative_images: PositiveInt
    latency_runs: PositiveInt
    tolerances: dict[str, ToleranceSettings]
    model_card: ModelCardSettings

    @model_validator(mode="after")
    def _check_names(self) -> "ExportSettings":
        if len(set(self.formats)) != len(self.formats):
            raise ValueError("export.formats contains a format twice")
        if "default" not in self.tolerances:
            raise ValueError("export.tolerances needs the entry `default`")
        unknown = self.tolerances.keys() - {"default", *module_names(_EXPORT_FORMATS)}
        if unknown:
            raise ValueError(f"export.tolerances names unknown formats: {', '.join(unknown)}")
        return self

    def tolerance(self, name: str) -> ToleranceSettings:
        """Return the tolerance of a format, which is `default` unless it has its own."""
        return self.tolerances.get(name, self.tolerances["default"])


class EpochSampleSettings(Settings):
    """Validation images that are predicted and logged during training."""

    images: Annotated[int, Field(ge=0, le=WANDB_MAX_IMAGES)]
    every: PositiveInt
    sets: tuple[Literal["predictions", "ground_truth"], ...]


class WandbSettings(Settings):
    """The section `wandb`."""

    mode: Literal["auto", "online", "offline", "disabled"]
    project: OptionalText
    entity: OptionalText
    group: OptionalText
    name: OptionalText
    tags: tuple[str, ...]
    timeout_s: PositiveFloat
    link_to: Annotated[OptionalText, AfterValidator(_registry_path)]
    link_aliases: Annotated[Words, AfterValidator(_registry_aliases)]
    epoch_sample: EpochSampleSettings
