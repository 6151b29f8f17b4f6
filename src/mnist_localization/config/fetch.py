"""The section `fetch`."""

from typing import Annotated, Literal

from pydantic import Field

from mnist_localization.config.base import (
    FileName,
    OptionalText,
    PositiveFloat,
    PositiveInt,
    Settings,
)


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
