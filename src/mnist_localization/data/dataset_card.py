"""Description of a fetched dataset: its source, files and splits."""

from pydantic import BaseModel

from mnist_localization.config.data import SyntheticSettings


class FileEntry(BaseModel, frozen=True, extra="forbid"):
    """Size and hash of one raw file, or of the listing of a folder."""

    size: int
    sha256: str


class SplitFiles(BaseModel, frozen=True, extra="forbid"):
    """Location of a split's files, relative to the folder of the source.

    Attributes:
        annotations: Annotation file, or folder of annotation files.
        archive: Key of the images in `DatasetCard.files`.
        images: Folder of the images.
    """

    annotations: str
    archive: str
    images: str


class DatasetCard(BaseModel, frozen=True, extra="forbid"):
    """The dataset `dataset_card`: what was fetched, from where.

    Attributes:
        source: `upstream`, `base_url`, `synthetic` or `folder`.
        base_url: URL without credentials, or path, of the source `base_url`; else empty.
        requested_source: The configured source; differs from `source` after a fallback.
        fallback_reason: Why the stand-in was made instead of the configured source, or `None`.
        folder: Folder of the source, relative to the raw folder.
        root_folder: Folder of the whole dataset, relative to the folder of the source.
        files: Raw files by name.
        splits: `train` and, if the dataset has such sets, `validation` and `test`.
        train_images: Number of training images.
        validation_images: Number of validation images; 0 without a validation set.
        test_images: Number of test images; 0 without a test set.
        synthetic: Settings of the stand-in, or `None`.
    """

    source: str
    base_url: str = ""
    requested_source: str
    fallback_reason: str | None = None
    folder: str
    root_folder: str = "."
    files: dict[str, FileEntry]
    splits: dict[str, SplitFiles]
    train_images: int
    validation_images: int = 0
    test_images: int
    synthetic: SyntheticSettings | None = None

    def counts_text(self) -> str:
        """Return the number of images of each set as text."""
        train = f"{self.train_images:,}"
        if len(self.splits) > len({files.images for files in self.splits.values()}):
            return f"images of {len(self.splits)} sets, of which some share a folder"
        validation = f"{self.validation_images:,} validation" if self.validation_images else ""
        if self.test_images:
            others = f", {validation}" if validation else ""
            return f"{train} training{others} and {self.test_images:,} test images"
        others = f", and {validation} images" if validation else ""
        return f"{train} images, part of them for the test split{others}"

    def images_sha256(self, split: str) -> str:
        """Return the hash that identifies the images of a split."""
        return self.files[self.splits[split].archive].sha256
