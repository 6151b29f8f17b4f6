"""Settings of the data stages: the sections `dataset`, `fetch`, `annotate`, `split`, `check`.

Meaning and default of each key are in `conf/base/parameters*.yml`.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    field_serializer,
    field_validator,
    model_validator,
)

from mnist_localization.config import (
    FileName,
    NotNegative,
    OptionalText,
    PositiveFloat,
    PositiveInt,
    Settings,
    Share,
    registered_name,
)
from mnist_localization.errors import StaleError

# Named as in keras.utils.bounding_boxes.convert_format.
BoxFormat = Literal[
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
]


OnSeveral = Literal["error", "largest", "drop_image"]


class CsvSettings(Settings):
    """Columns and delimiter of an annotation CSV."""

    # Columns may be given by number.
    model_config = ConfigDict(coerce_numbers_to_str=True)

    columns: tuple[str, ...]
    group: str = ""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)]
    file: Annotated[str, Field(pattern=r"\{file\}")]

    @model_validator(mode="after")
    def _has_all_columns(self) -> "CsvSettings":
        if self.columns and len(set(self.columns)) != 6:
            raise ValueError(
                "dataset.annotations.csv.columns must name six columns: file, label, and the four "
                "numbers of the box"
            )
        return self


class AnnotationSettings(Settings):
    """Format of the annotation files."""

    format: Annotated[str, registered_name("data/annotations/formats", "auto")]
    csv_boxes: BoxFormat
    csv: CsvSettings


class ImageSettings(Settings):
    """Shape of the model input, and how other images are converted to it."""

    height: PositiveInt
    width: PositiveInt
    channels: Literal[1, 3]
    letterbox: bool
    convert_channels: bool
    background: Annotated[int, Field(ge=0, le=255)]
    sample_bits: Annotated[int, Field(ge=8, le=32)] | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return height, width, channels."""
        return self.height, self.width, self.channels


class DatasetSettings(Settings):
    """The section `dataset`: facts about the dataset that do not depend on its source.

    `class_names` is empty for `auto`: the stage `annotate` finds and saves the names.
    """

    image: ImageSettings
    class_names: Annotated[tuple[str, ...], Field(max_length=1000)]
    whole_pixel_boxes: bool
    annotations: AnnotationSettings

    def with_class_names(self, names: Sequence[str]) -> "DatasetSettings":
        """Return the settings with the class names of the annotations.

        Args:
            names: The dataset `class_names`, which the stage `annotate` has saved.

        Raises:
            StaleError: The settings name other classes.
        """
        if self.class_names and self.class_names != tuple(names):
            raise StaleError(
                f"dataset.class_names is {list(self.class_names)}, but the annotations were read "
                f"with {list(names)}; run `kedro run`, which starts with the stage annotate, or "
                "correct dataset.class_names"
            )
        return self.model_copy(update={"class_names": tuple(names)})

    @field_validator("class_names", mode="before")
    @classmethod
    def _auto_is_empty(cls, value: Any) -> Any:
        if value == "auto":
            return ()
        if not value:
            raise ValueError("dataset.class_names must list the classes, or be 'auto'")
        return value

    @field_serializer("class_names")
    def _empty_is_auto(self, value: tuple[str, ...]) -> tuple[str, ...] | str:
        return value or "auto"

    @model_validator(mode="after")
    def _has_unique_names(self) -> "DatasetSettings":
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError("dataset.class_names has a name twice; each class needs its own name")
        return self


class FileSettings(Settings):
    """Names of the four files of every source except `folder`."""

    train_archive: FileName
    train_csv: FileName
    test_archive: FileName
    test_csv: FileName

    @property
    def names(self) -> tuple[str, str, str, str]:
        """Return all four names."""
        return self.train_archive, self.train_csv, self.test_archive, self.test_csv


class UpstreamSettings(Settings):
    """Location and hashes of the published dataset."""

    url: str
    blob_ids: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]]


class NetworkSettings(Settings):
    """Limits of network waits."""

    reach_s: PositiveFloat
    connect_s: PositiveFloat
    read_s: PositiveFloat
    retries: Annotated[int, Field(ge=0)]
    backoff_s: NotNegative


class UnpackSettings(Settings):
    """Limits of archives, so that a zip bomb fails early."""

    max_files: PositiveInt
    max_total_mb: PositiveFloat
    max_file_mb: PositiveFloat
    max_ratio: PositiveFloat


class SyntheticSettings(Settings):
    """Size and randomness of the dataset that is made locally."""

    train_images: PositiveInt
    test_images: PositiveInt
    canvas: PositiveInt
    test_digit_share: Annotated[float, Field(gt=0.0, lt=1.0)]
    seed: int


class FolderSettings(Settings):
    """Location of your own dataset, which is read in place and never changed."""

    path: OptionalText
    train_images: OptionalText
    train_annotations: OptionalText
    validation_images: OptionalText
    validation_annotations: OptionalText
    test_images: OptionalText
    test_annotations: OptionalText


class FetchSettings(Settings):
    """The section `fetch`."""

    source: Literal["upstream", "synthetic", "folder"]
    base_url: OptionalText
    sha256: dict[str, Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]]
    folder: FolderSettings
    on_unreachable: Literal["synthetic", "error"]
    files: FileSettings
    upstream: UpstreamSettings
    synthetic: SyntheticSettings
    network: NetworkSettings
    unpack: UnpackSettings


class AnnotateSettings(Settings):
    """The section `annotate`."""

    on_bad_rows: Literal["error", "drop"]
    on_several: OnSeveral
    listed_bad_rows: PositiveInt


class ValidationSettings(Settings):
    """Source of the validation images."""

    source: Literal["train", "test", "given"]
    share: Share

    @model_validator(mode="after")
    def _has_share_if_held_out(self) -> "ValidationSettings":
        if self.source == "train" and self.share == 0.0:
            raise ValueError("split.validation.share must be above 0 if the source is 'train'")
        return self


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression ({error})") from None
    return text


def _fold(text: str) -> str:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if text and not (found and 1 <= int(found[1]) <= int(found[2]) and int(found[2]) >= 2):
        raise ValueError("must be empty, or fold/folds such as 1/5, counted from 1")
    return text


class SplitSettings(Settings):
    """The section `split`."""

    validation: ValidationSettings
    test_share: Share
    group_by: Annotated[str, AfterValidator(_regular_expression)]
    fold: Annotated[str, AfterValidator(_fold)]
    fold_seed: int
    max_image_mb: PositiveFloat
    on_bad_images: Literal["error", "drop"]
    shard_mb: PositiveFloat
    contact_sheet: Annotated[int, Field(gt=0, le=120)]


class CheckSettings(Settings):
    """The section `check`."""

    listed: PositiveInt
    rare_class: Annotated[int, Field(ge=0)]
    small_box: NotNegative
