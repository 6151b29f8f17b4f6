"""Settings of what is done with a trained model.

The sections `evaluate`, `compare`, `publish`, `predict`, `export` and `wandb`.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from mnist_localization.config.base import (
    OptionalText,
    PositiveFloat,
    PositiveInt,
    Settings,
    registered_name,
)
from mnist_localization.registry import module_names


def _words(value: object) -> object:
    """The words of a text: a list cannot be typed after `--params`, which splits at commas."""
    return tuple(str(value).split()) if isinstance(value, str | int) else value


class EvaluateSettings(Settings):
    """The section `evaluate`.

    Attributes:
        batch_size: Images predicted at once.
        on_stale: What to do when model, splits and predictions do not belong together.
        bootstrap_resamples: Resamples behind the interval of a mean.
        calibration_bins: Bins of confidence, of equal width.
        position_grid: Regions of the image along each side, by the center of the true box.
        contact_sheet: Images on the sheet of the worst, and on that of a random sample.
        robustness: Whether the perturbed test split is scored too.
    """

    batch_size: PositiveInt
    on_stale: Literal["warn", "error"]
    bootstrap_resamples: PositiveInt
    calibration_bins: PositiveInt
    position_grid: PositiveInt
    contact_sheet: Annotated[int, Field(gt=0, le=120)]
    robustness: bool


class CompareSettings(Settings):
    """The section `compare`.

    Attributes:
        runs: Names of evaluated runs, or how they begin or end, as a list or as words of a
            text; empty takes the latest ones.
        latest: How many of the latest runs are compare_outputs when none is named.
    """

    runs: Annotated[tuple[str, ...], BeforeValidator(_words)]
    latest: Annotated[int, Field(ge=2)]


class GallerySettings(Settings):
    """Which test images the report shows.

    Attributes:
        worst: Images with the lowest IoU.
        mistakes: Wrongly labeled images with the highest confidence.
        random: Images drawn at random.
    """

    worst: Annotated[int, Field(ge=0)]
    mistakes: Annotated[int, Field(ge=0)]
    random: Annotated[int, Field(ge=0)]


# W&B cuts a list of images at this length: the page would show more than W&B.
MOST_OF_A_KIND = 108


class PublishSettings(Settings):
    """The section `publish`."""

    gallery: GallerySettings

    @field_validator("gallery")
    @classmethod
    def _check_gallery(cls, gallery: GallerySettings) -> GallerySettings:
        for name, images in gallery:
            if images > MOST_OF_A_KIND:
                raise ValueError(
                    f"{name} is {images}, but W&B shows at most {MOST_OF_A_KIND} images of a "
                    f"kind; ask for at most {MOST_OF_A_KIND}, so that the page shows the same"
                )
        return gallery


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


_EXPORT_FORMATS = "export/formats"
FormatName = Annotated[str, registered_name(_EXPORT_FORMATS)]
NotNegative = Annotated[float, Field(ge=0.0)]


class ToleranceSettings(Settings):
    """How far an exported file may be from the Keras model.

    Attributes:
        probability: Largest difference of any probability of any image.
        box_pixels: Largest difference of any edge of any box, in pixels of the model's input.
        label_accuracy: Loss of label accuracy.
        mean_iou: Loss of mean IoU.
    """

    probability: NotNegative
    box_pixels: NotNegative
    label_accuracy: NotNegative
    mean_iou: NotNegative


class ModelCardSettings(Settings):
    """What the model card says of the dataset at hand, and no file knows.

    Attributes:
        title: Its heading.
        intended_use: What the model is for.
        limits: What it does not do, and what an image must look like.
        data_license: License and credit of the data, one sentence each.
    """

    title: Annotated[str, Field(min_length=1)]
    intended_use: str
    limits: tuple[str, ...]
    data_license: tuple[str, ...]


class ExportSettings(Settings):
    """The section `export`.

    Attributes:
        formats: What is written.
        checked_images: Test images that each file is checked on; 0 takes all.
        batch_size: Images predicted at once in the check.
        representative_images: Training images that set the ranges of int8 numbers.
        latency_runs: Single images timed for the latency.
        tolerances: Format to how far it may be from the Keras model.
        model_card: What the model card says of the dataset.
    """

    formats: Annotated[tuple[FormatName, ...], Field(min_length=1)]
    checked_images: Annotated[int, Field(ge=0)]
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
