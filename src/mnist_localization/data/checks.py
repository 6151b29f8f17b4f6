"""Check of a dataset before training: its contents and its faults, one finding per row."""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd

from mnist_localization.config.data import (
    CheckSettings,
    DatasetSettings,
    ImageSettings,
    SplitSettings,
)
from mnist_localization.data.annotations.reading import Annotations, read_annotations
from mnist_localization.data.boxes import BOX_COLUMNS, FloatArray, pixel_corners
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images.decode import (
    SUFFIXES,
    map_in_threads,
    printable,
    read_header_and_pixels,
)
from mnist_localization.data.images.letterbox import compute_placements, to_input_frame
from mnist_localization.errors import AnnotationError, ImageError

logger = logging.getLogger(__name__)

# A `problem` spoils a training or a metric, a `note` is worth a look, a `fact` is as expected.
Level = Literal["problem", "note", "fact"]
LEVELS: tuple[Level, ...] = ("problem", "note", "fact")
CHECK_COLUMNS = ("level", "check", "split", "file", "name", "value", "detail")

# Image sizes that are listed; a folder of photos may have thousands.
_LISTED_SIZES = 20


@dataclass(frozen=True)
class Finding:
    """One row of the table `dataset_check`.

    Attributes:
        level: `problem`, `note` or `fact`.
        check: What was checked, or the kind of fault.
        split: `train` or `test`.
        file: Name of the image, relative to the folder of the split's images; empty for facts.
        name: What is counted or measured, such as a class.
        value: Its number, if there is one.
        detail: Explanation.
    """

    level: Level
    check: str
    split: str = ""
    file: str = ""
    name: str = ""
    value: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is kept in memory of one decoded image.

    Attributes:
        file: Its name.
        height: Rows, pixels; 0 if it cannot be read.
        width: Columns, pixels; 0 if it cannot be read.
        channels: Channels in its header.
        digest: Hash of its pixels, equal for the same picture in another file format.
        fault: Why it cannot be read, or empty.
    """

    file: str
    height: int
    width: int
    channels: int
    digest: bytes
    fault: str = ""


@dataclass(frozen=True)
class _Split:
    name: str
    annotations: Annotations
    pictures: Mapping[str, Picture]

    @property
    def readable(self) -> list[Picture]:
        return [picture for picture in self.pictures.values() if not picture.fault]


@dataclass(frozen=True)
class _Use:
    """Use of a picture in a split; the label is `None` if it is not annotated."""

    split: str
    file: str
    label: int | None


def check_dataset(
    settings: CheckSettings,
    dataset: DatasetSettings,
    split: SplitSettings,
    dataset_card: DatasetCard,
    raw_folder: Path,
) -> pd.DataFrame:
    """Check the annotations and every image of a fetched dataset.

    Args:
        settings: The section `check`.
        dataset: The section `dataset`.
        split: The section `split`, for the size above which an image counts as unreadable.
        dataset_card: Description of the fetched dataset.
        raw_folder: Parent of the folders of all sources.

    Returns:
        Columns `CHECK_COLUMNS`; problems first, then notes, then facts.

    Raises:
        AnnotationError: An annotation file is not of its format, or there is no image.
    """
    folder = raw_folder / dataset_card.folder
    splits = []
    for name, paths in dataset_card.splits.items():
        images = folder / paths.images
        annotations = read_annotations(
            folder / paths.annotations, images, dataset.class_names, dataset.annotations
        )
        files = _files_to_check(name, dataset_card, images, annotations)
        pictures = decode_pictures(images, files, dataset.image, split.max_image_mb, name)
        splits.append(_Split(name, annotations, {each.file: each for each in pictures}))
    if not any(each.pictures for each in splits):
        raise AnnotationError(f"{folder}: there is no image to check; correct the section fetch")
    findings = [
        replace(finding, split=each.name)
        for each in splits
        for finding in _check_split(each, settings, dataset)
    ]
    table = findings_table([*findings, *_repeated_pictures(splits)])
    _log_counts(table)
    return table


def findings_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return the table `dataset_check`: problems, notes and facts, each in the given order."""
    rows = [
        # File names that are not valid UTF-8 could not be written to the table.
        asdict(replace(each, file=printable(each.file), detail=printable(each.detail)))
        for each in findings
    ]
    table = pd.DataFrame(rows, columns=list(CHECK_COLUMNS))
    order = table["level"].map({level: rank for rank, level in enumerate(LEVELS)})
    table = table.iloc[order.argsort(kind="stable")].reset_index(drop=True)
    return table.astype({"value": float})


def decode_pictures(
    folder: Path, files: Sequence[str], image: ImageSettings, max_mb: float, name: str
) -> Iterator[Picture]:
    """Return an iterator over what the check needs of each decoded image.

    Args:
        folder: Folder of the images.
        files: Their names.
        image: Gives the channels in which pictures are compared.
        max_mb: Size in MiB above which an image counts as unreadable.
        name: Name of the split for the progress bar.
    """

    def decode(file: str) -> Picture:
        try:
            header, pixels = read_header_and_pixels(
                folder / file,
                channels=image.channels,
                max_mb=max_mb,
                background=image.background,
            )
        except ImageError as error:
            return Picture(file, 0, 0, 0, b"", str(error))
        digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
        digest.update(pixels.data)
        return Picture(file, header.height, header.width, header.channels, digest.digest())

    return map_in_threads(decode, files, f"check {name}")


def _files_to_check(
    name: str, card: DatasetCard, images: Path, annotations: Annotations
) -> list[str]:
    """Return the annotated files of a split and, if no other split shares it, of its folder.

    Annotated files of any suffix are included, because the stage `split` opens them, too.
    """
    files = set(annotations.table["file"])
    files |= {row.file for row in annotations.bad_rows if row.fault == "unreadable image"}
    folders = [paths.images for paths in card.splits.values()]
    if folders.count(card.splits[name].images) > 1:
        return sorted(files)
    for root, _, found in os.walk(images):
        prefix = Path(root).relative_to(images)
        files |= {
            (prefix / file).as_posix()
            for file in found
            if PurePosixPath(file).suffix.lower() in SUFFIXES
        }
    return sorted(files)


def _check_split(
    split: _Split, settings: CheckSettings, dataset: DatasetSettings
) -> Iterator[Finding]:
    yield from _counts(split)
    yield from _unusable_files(split)
    yield from _classes(split, dataset.class_names, settings.rare_class)
    yield from _sizes(split)
    yield from _unexpected_shapes(split, dataset.image)
    yield from _boxes(split, dataset, settings.small_box)


def _counts(split: _Split) -> Iterator[Finding]:
    table, bad_rows = split.annotations.table, split.annotations.bad_rows
    unannotated = split.pictures.keys() - set(table["file"])
    for name, value in {
        "images": len(split.pictures),
        "good annotations": len(table),
        "bad annotations": len(bad_rows),
        "images without annotation": len(unannotated),
    }.items():
        yield Finding("fact", "counts", name=name, value=value)
    for file in sorted(unannotated - {row.file for row in bad_rows}):
        yield Finding("note", "image without annotation", file=file)


def _unusable_files(split: _Split) -> Iterator[Finding]:
    for picture in split.pictures.values():
        if picture.fault:
            yield Finding("problem", "unreadable image", file=picture.file, detail=picture.fault)
    for row in split.annotations.bad_rows:
        if row.fault != "unreadable image":
            yield Finding("problem", row.fault, file=row.file, detail=str(row))


def _classes(split: _Split, class_names: Sequence[str], rare: int) -> Iterator[Finding]:
    labels = split.annotations.table["label"]
    counts = np.bincount(labels.to_numpy(np.int64), minlength=len(class_names))
    for name, count in zip(class_names, counts.tolist(), strict=True):
        share = f"{count / max(1, len(labels)):.1%}"
        yield Finding("fact", "class balance", name=name, value=count, detail=share)
        if count == 0:
            yield Finding("problem", "class without images", name=name, value=0)
        elif count < rare:
            yield Finding("note", "rare class", name=name, value=count)


def _sizes(split: _Split) -> Iterator[Finding]:
    kinds = Counter((each.width, each.height, each.channels) for each in split.readable)
    for (width, height, channels), count in kinds.most_common(_LISTED_SIZES):
        name = f"{width}x{height}, {channels} channel{'s' if channels > 1 else ''}"
        yield Finding("fact", "image size", name=name, value=count)
    if len(kinds) > _LISTED_SIZES:
        yield Finding("fact", "image size", name="other sizes", value=len(kinds) - _LISTED_SIZES)


def _unexpected_shapes(split: _Split, image: ImageSettings) -> Iterator[Finding]:
    """Yield images that the stage `split` would refuse because of their size or channels."""
    for picture in split.readable:
        if not image.letterbox and (picture.height, picture.width) != (image.height, image.width):
            detail = (
                f"{picture.width}x{picture.height}, dataset.image is "
                f"{image.width}x{image.height}; set dataset.image.letterbox to resize images"
            )
            yield Finding("problem", "image of another size", file=picture.file, detail=detail)
        if not image.convert_channels and picture.channels != image.channels:
            detail = (
                f"{picture.channels}, dataset.image.channels is {image.channels}; set "
                "dataset.image.convert_channels to convert images"
            )
            yield Finding("problem", "image of other channels", file=picture.file, detail=detail)


def _boxes(split: _Split, dataset: DatasetSettings, small: float) -> Iterator[Finding]:
    """Yield statistics of the boxes, boxes not on whole pixels, and small boxes."""
    table, readable = split.annotations.table, {each.file: each for each in split.readable}
    usable = table[table["file"].isin(list(readable))]
    if usable.empty:
        return
    sizes = np.array([(readable[file].height, readable[file].width) for file in usable["file"]])
    corners = usable[list(BOX_COLUMNS)].to_numpy(np.float64)
    pixels = pixel_corners(corners, sizes[:, 0], sizes[:, 1])
    yield from _box_statistics(corners, pixels)
    share = float((np.abs(pixels - np.rint(pixels)).max(axis=1) < 1e-3).mean())
    yield Finding("fact", "box", name="share on whole pixels", value=share)
    if dataset.whole_pixel_boxes and share < 1:
        detail = f"{share:.1%} are, but dataset.whole_pixel_boxes is true"
        yield Finding("problem", "boxes not on whole pixels", detail=detail)
    height, width = dataset.image.height, dataset.image.width
    placements = compute_placements(sizes[:, 0], sizes[:, 1], height, width)
    inputs = to_input_frame(corners, placements)
    shorter = ((inputs[:, 2:] - inputs[:, :2]) * [width, height]).min(axis=1)
    for file, side in zip(usable["file"], shorter.tolist(), strict=True):
        if side < small:
            detail = f"{side:.1f} pixels in the model input"
            yield Finding("note", "small box", file=file, value=side, detail=detail)


def _box_statistics(corners: FloatArray, pixels: FloatArray) -> Iterator[Finding]:
    sides, pixel_sides = corners[:, 2:] - corners[:, :2], pixels[:, 2:] - pixels[:, :2]
    for name, values in {
        "width": sides[:, 0],
        "height": sides[:, 1],
        "area": sides.prod(axis=1),
        "width over height, in pixels": pixel_sides[:, 0] / pixel_sides[:, 1],
    }.items():
        for statistic, value in {
            "smallest": values.min(),
            "median": np.median(values),
            "mean": values.mean(),
            "largest": values.max(),
        }.items():
            yield Finding("fact", "box", name=f"{name}, {statistic}", value=float(value))


def _repeated_pictures(splits: Sequence[_Split]) -> Iterator[Finding]:
    """Yield pictures that occur more than once, compared by their pixels."""
    first: dict[bytes, _Use] = {}
    for split in splits:
        table = split.annotations.table
        labels = dict(zip(table["file"], table["label"].tolist(), strict=True))
        # Annotated pictures come first, so that the others are compared with them.
        for picture in sorted(split.readable, key=lambda each: each.file not in labels):
            use = _Use(split.name, picture.file, labels.get(picture.file))
            other = first.setdefault(picture.digest, use)
            if other is not use:
                yield from _compare_uses(use, other, has_test_set=len(splits) > 1)


def _compare_uses(use: _Use, other: _Use, *, has_test_set: bool) -> Iterator[Finding]:
    both_annotated = None not in (use.label, other.label)
    detail = f"the same picture as {other.file} ({other.split})"
    if other.split != use.split:
        yield Finding("problem", "picture in both splits", use.split, use.file, detail=detail)
    elif both_annotated and not has_test_set:
        kind = "picture that may be in both splits"
        both = f"{detail}; both may be drawn for test"
        yield Finding("problem", kind, use.split, use.file, detail=both)
    else:
        yield Finding("note", "repeated picture", use.split, use.file, detail=detail)
    if both_annotated and use.label != other.label:
        kind, labels = "same picture, other label", f"labels {use.label} and {other.label}"
        yield Finding("problem", kind, use.split, use.file, detail=f"{detail}, {labels}")


def _log_counts(table: pd.DataFrame) -> None:
    for level, log in (("problem", logger.warning), ("note", logger.info)):
        kinds = table.loc[table["level"] == level, "check"].value_counts(sort=False)
        if len(kinds):
            counts = ", ".join(f"{kind} ({number})" for kind, number in kinds.items())
            log("%d %ss: %s.", int(kinds.sum()), level, counts)
        else:
            logger.info("No %ss.", level)
