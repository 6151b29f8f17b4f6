"""Settings of the data stages: the sections `dataset`, `fetch`, `annotate`, `split` and `check`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mnist_localization.config.base import (
    FileName,
    OptionalText,
    PositiveFloat,
    PositiveInt,
    Settings,
    Share,
)

# Names as in keras.utils.bounding_boxes.convert_format.
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

_OWN_BOX_FORMATS: dict[str, BoxFormat] = {
    "coco": "xywh",
    "yolo": "rel_center_xywh",
    "voc": "xyxy",
}


class CsvSettings(Settings):
    """How a CSV of annotations is written.

    Attributes:
        columns: Names in the header of: file, label, and the four numbers of the box. Empty:
            `file, label, xmin, ymin, xmax, ymax`, with or without a header.
        delimiter: Between the columns.
    """

    columns: tuple[str, ...] = ()
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","

    @model_validator(mode="after")
    def _all_columns_are_named(self) -> "CsvSettings":
        if self.columns and len(set(self.columns)) != 6:
            raise ValueError(
                "dataset.annotations.csv.columns must name six columns: file, label, and the four "
                "numbers of the box"
            )
        return self


class AnnotationFormat(Settings):
    """How the annotation files are written.

    Attributes:
        format: `csv`, `coco` (one JSON file), or a folder of `yolo` or `voc` files.
        csv_boxes: Format of the boxes of a CSV; the other formats have one of their own.
        csv: How a CSV is written.
    """

    format: Literal["csv", "coco", "yolo", "voc"] = "csv"
    csv_boxes: BoxFormat = "rel_xyxy"
    csv: CsvSettings = CsvSettings()

    @property
    def box_format(self) -> str:
        """Format of the boxes, as Keras names it."""
        return _OWN_BOX_FORMATS.get(self.format, self.csv_boxes)


class ImageSettings(Settings):
    """Shape of the images, as the model takes them.

    Attributes:
        height: Rows, in pixels.
        width: Columns, in pixels.
        channels: 1 for gray, 3 for color.
        letterbox: Whether an image of another size is fitted in, with its aspect ratio kept
            and the rest padded; otherwise it is an error.
        convert_channels: Whether an image of other channels is converted; otherwise it is an
            error.
        background: Gray value of the padding, and behind transparent pixels.
    """

    height: PositiveInt
    width: PositiveInt
    channels: Literal[1, 3]
    letterbox: bool = False
    convert_channels: bool = False
    background: Annotated[int, Field(ge=0, le=255)] = 0

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
        annotations: How the annotation files are written.
    """

    image: ImageSettings
    class_names: Annotated[tuple[str, ...], Field(min_length=2, max_length=1000)]
    whole_pixel_boxes: bool
    annotations: AnnotationFormat = AnnotationFormat()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "DatasetSettings":
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError("dataset.class_names holds a name twice; each class needs its own")
        return self


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


class FolderSettings(Settings):
    """A dataset of one's own, read where it lies and never changed.

    Attributes:
        path: The folder that holds it; a relative path starts at the project.
        train_images: Folder of images, or a zip archive of them, below `path`.
        train_annotations: Annotation file, or folder of annotation files, below `path`.
        test_images: The same for the test set; empty takes the folder of the training images.
        test_annotations: Empty where there is no test set: a share of the training rows is
            kept for the test then.
    """

    path: OptionalText = ""
    train_images: OptionalText = "images"
    train_annotations: OptionalText = "annotations.csv"
    test_images: OptionalText = ""
    test_annotations: OptionalText = ""


class FetchSettings(Settings):
    """The section `fetch`.

    Attributes:
        source: `upstream`, `synthetic` or `folder`; a base URL overrides it.
        base_url: Folder that directly holds the four files: http(s) URL or local path.
        sha256: File name to the SHA-256 sum that it must have (base URL only).
        folder: A dataset of one's own, for the source `folder`.
        on_unreachable: What to do when upstream cannot be reached.
    """

    source: Literal["upstream", "synthetic", "folder"]
    base_url: OptionalText
    folder: FolderSettings = FolderSettings()
    sha256: dict[str, Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]]
    on_unreachable: Literal["synthetic", "error"]
    files: FileSettings
    upstream: UpstreamSettings
    synthetic: SyntheticSettings
    network: NetworkSettings
    unpack: UnpackSettings


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
        test_share: Share of the training rows that becomes the test split where the dataset has
            no test set, stratified by label.
        max_image_mb: Size of one decoded image, in MiB, above which it is refused unread.
        contact_sheet: Training images on the sheet that shows the dataset.
    """

    validation: ValidationSettings
    test_share: Share = 0.1
    max_image_mb: PositiveFloat
    contact_sheet: Annotated[int, Field(gt=0, le=120)]


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
