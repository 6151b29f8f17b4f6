"""Typed configuration: one frozen model for each stage's section of the parameters.

Kedro validates a node's `params:<section>` against the model that annotates it before
anything runs, so a misspelt key or a value out of range fails at once.
"""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

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


# --- dataset ------------------------------------------------------------------------------


class ImageSettings(Settings):
    """Shape of the images, as the model takes them.

    Attributes:
        height: Rows, in pixels.
        width: Columns, in pixels.
        channels: 1 for grey, 3 for colour.
    """

    height: PositiveInt
    width: PositiveInt
    channels: Literal[1, 3]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels


class DatasetSettings(Settings):
    """What is true of the dataset, whatever its source.

    Attributes:
        image: Shape of the images.
        class_names: Name of each class, in the order of the labels 0, 1, 2, ...
        whole_pixel_boxes: Whether the annotated boxes lie on whole pixels.
    """

    image: ImageSettings
    class_names: Annotated[tuple[str, ...], Field(min_length=2, max_length=1000)]
    whole_pixel_boxes: bool

    @model_validator(mode="after")
    def _names_are_unique(self) -> "DatasetSettings":
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError("dataset.class_names holds a name twice; each class needs its own")
        return self


# --- fetch --------------------------------------------------------------------------------


class FileSettings(Settings):
    """Names of the four files, the same in every source."""

    train_archive: FileName
    train_csv: FileName
    test_archive: FileName
    test_csv: FileName

    @property
    def names(self) -> tuple[str, str, str, str]:
        """All four names."""
        return self.train_archive, self.train_csv, self.test_archive, self.test_csv


class UpstreamSettings(Settings):
    """Where the published dataset lies.

    Attributes:
        url: The folder that holds the four files.
        blob_ids: File name to the git blob id (SHA-1, hexadecimal) that it must have.
    """

    url: str
    blob_ids: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]]


class NetworkSettings(Settings):
    """Limits on every wait.

    Attributes:
        reach_s: Seconds without progress, all attempts together, after which a source
            counts as unreachable.
        connect_s: Seconds one attempt may take to connect.
        read_s: Seconds one attempt may wait for the next bytes.
        retries: Attempts after the first one, for each file.
        backoff_s: Wait before the first retry; each later wait is twice as long.
    """

    reach_s: PositiveFloat
    connect_s: PositiveFloat
    read_s: PositiveFloat
    retries: Annotated[int, Field(ge=0)]
    backoff_s: Annotated[float, Field(ge=0.0)]


class UnpackSettings(Settings):
    """What an archive may hold at most, so that a zip bomb fails early.

    Attributes:
        max_files: Number of members.
        max_total_mb: Size of all members unpacked, in MiB.
        max_file_mb: Size of one member unpacked, in MiB.
        max_ratio: Unpacked over packed size of one archive.
    """

    max_files: PositiveInt
    max_total_mb: PositiveFloat
    max_file_mb: PositiveFloat
    max_ratio: PositiveFloat


class SyntheticSettings(Settings):
    """The dataset that is made locally.

    Attributes:
        train_images: Number of training images.
        test_images: Number of test images.
        canvas: Height and width of an image, in pixels.
        test_digit_share: Share of the distinct digits kept for the test images alone.
        seed: Seed of digits and positions.
    """

    train_images: PositiveInt
    test_images: PositiveInt
    canvas: PositiveInt
    test_digit_share: Annotated[float, Field(gt=0.0, lt=1.0)]
    seed: int


class FetchSettings(Settings):
    """The section `fetch`.

    Attributes:
        source: `upstream` or `synthetic`; a base URL overrides it.
        base_url: Folder that directly holds the four files: http(s) URL or local path.
        sha256: File name to the SHA-256 sum that it must have (base URL only).
        on_unreachable: What to do when upstream cannot be reached.
    """

    source: Literal["upstream", "synthetic"]
    base_url: OptionalText
    sha256: dict[str, Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]]
    on_unreachable: Literal["synthetic", "error"]
    files: FileSettings
    upstream: UpstreamSettings
    synthetic: SyntheticSettings
    network: NetworkSettings
    unpack: UnpackSettings


# --- annotate, split ----------------------------------------------------------------------


class AnnotateSettings(Settings):
    """The section `annotate`.

    Attributes:
        on_bad_rows: `error` stops at bad rows, `drop` sets them aside and counts them.
        listed_bad_rows: How many bad rows an error message or the report lists at most.
    """

    on_bad_rows: Literal["error", "drop"]
    listed_bad_rows: PositiveInt


class ValidationSettings(Settings):
    """Where the validation images come from.

    Attributes:
        source: `train` holds a share of the training rows out; `test` validates on the test
            split, as the seed report did (then no figure on the test split is unbiased).
        share: Share of the training rows that is held out, stratified by label.
    """

    source: Literal["train", "test"]
    share: Share

    @model_validator(mode="after")
    def _share_fits_source(self) -> "ValidationSettings":
        if self.source == "train" and self.share == 0.0:
            raise ValueError("split.validation.share must be above 0 when the source is 'train'")
        return self


class SplitSettings(Settings):
    """The section `split`.

    Attributes:
        validation: Where the validation images come from.
        max_image_mb: Size of one decoded image, in MiB, above which it is refused unread.
    """

    validation: ValidationSettings
    max_image_mb: PositiveFloat


# --- train --------------------------------------------------------------------------------


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


# --- evaluate, publish --------------------------------------------------------------------


class EvaluateSettings(Settings):
    """The section `evaluate`.

    Attributes:
        batch_size: Images predicted at once.
        on_stale: What to do when model, splits and predictions do not belong together.
        bootstrap_resamples: Resamples behind the interval of a mean.
        calibration_bins: Bins of confidence, of equal width.
        position_grid: Regions of the image along each side, by the centre of the true box.
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
        runs: Names of evaluated runs, or how they begin or end; empty takes the latest ones.
        latest: How many of the latest runs are compared when none is named.
    """

    runs: tuple[str, ...]
    latest: Annotated[int, Field(ge=2)]


class GallerySettings(Settings):
    """Which test images the report shows.

    Attributes:
        worst: Images with the lowest IoU.
        mistakes: Wrongly labelled images with the highest confidence.
        random: Images drawn at random.
    """

    worst: Annotated[int, Field(ge=0)]
    mistakes: Annotated[int, Field(ge=0)]
    random: Annotated[int, Field(ge=0)]


class PublishSettings(Settings):
    """The section `publish`."""

    gallery: GallerySettings


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
