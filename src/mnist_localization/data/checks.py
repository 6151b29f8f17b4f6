"""Check of a dataset before training: its contents and its faults, one finding per row."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from mnist_localization.config.data import (
    AnnotateSettings,
    CheckSettings,
    DatasetSettings,
    ImageSettings,
    SplitSettings,
)
from mnist_localization.data.annotations.annotating import read_dataset
from mnist_localization.data.annotations.reading import Annotations
from mnist_localization.data.boxes import BOX_COLUMNS, pixel_corners
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images.decode import (
    has_image_suffix,
    map_in_threads,
    printable,
    read_header_and_pixels,
    shape_faults,
)
from mnist_localization.data.images.letterbox import compute_placements, to_input_frame
from mnist_localization.errors import AnnotationError, ImageError
from mnist_localization.files import files_below

logger = logging.getLogger(__name__)

# A `problem` spoils a training or a metric, a `note` is worth a look, a `fact` is as expected.
Level = Literal["problem", "note", "fact"]
LEVELS: tuple[Level, ...] = ("problem", "note", "fact")

# Image sizes that are listed; a folder of photos may have thousands.
_LISTED_SIZES = 20


class Finding(NamedTuple):
    """One row of the table `dataset_check`.

    Attributes:
        level: `problem`, `note` or `fact`.
        check: What was checked, or the kind of fault.
        split: `train`, `validation` or `test`.
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


CHECK_COLUMNS = Finding._fields


class Picture(NamedTuple):
    """What is kept in memory of one decoded image.

    Attributes:
        file: Its name; bytes that are not valid UTF-8 are escaped.
        height: Rows, pixels; 0 if it cannot be read.
        width: Columns, pixels; 0 if it cannot be read.
        channels: Channels in its header.
        digest: Hash of its pixels, equal for the same picture in another file format, unless one
            is a large JPEG, which is decoded with fewer pixels.
        faults: Why the stage `split` refuses it, by kind of fault.
    """

    file: str
    height: int
    width: int
    channels: int
    digest: bytes
    faults: dict[str, str]


@dataclass(frozen=True)
class _Split:
    """Annotations and decoded images of one split.

    Attributes:
        name: `train`, `validation` or `test`.
        annotations: Its annotations.
        pictures: One row per image, columns `Picture._fields`; label and corners are NaN for
            images without a good annotation.
    """

    name: str
    annotations: Annotations
    pictures: pd.DataFrame

    @property
    def readable(self) -> pd.DataFrame:
        return self.pictures[self.pictures["height"] > 0]


def check_dataset(
    settings: CheckSettings,
    annotate: AnnotateSettings,
    dataset: DatasetSettings,
    split: SplitSettings,
    dataset_card: DatasetCard,
    raw_folder: Path,
) -> pd.DataFrame:
    """Check the annotations and every image of a fetched dataset.

    Args:
        settings: The section `check`.
        annotate: The section `annotate`, for images with several objects.
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
    dataset, read = read_dataset(dataset, dataset_card, raw_folder, annotate.on_several)
    splits = []
    for name, annotations in read.items():
        images = folder / dataset_card.splits[name].images
        files = _files_to_check(name, dataset_card, images, annotations)
        pictures = decode_pictures(images, files, dataset.image, split.max_image_mb, name)
        splits.append(_Split(name, annotations, pictures.merge(annotations.table, "left", "file")))
    if all(each.pictures.empty for each in splits):
        raise AnnotationError(f"{folder}: there is no image to check; correct the section fetch")
    findings = [
        finding._replace(split=each.name)
        for each in splits
        for finding in _check_split(each, settings, dataset)
    ]
    table = pd.DataFrame([*findings, *_repeated_pictures(splits)], columns=CHECK_COLUMNS)
    table = table.sort_values("level", key=lambda levels: levels.map(LEVELS.index), kind="stable")
    _log_counts(table)
    return table.reset_index(drop=True).astype({"value": float})


def decode_pictures(
    folder: Path, files: Sequence[str], image: ImageSettings, max_mb: float, split: str
) -> pd.DataFrame:
    """Decode images and return what the check needs of each, columns `Picture._fields`.

    Args:
        folder: Folder of the images.
        files: Their names.
        image: The section `dataset.image`; pictures are compared in its channels.
        max_mb: Size in MiB above which an image counts as unreadable.
        split: Name of the split for the progress bar.
    """

    def decode(file: str) -> Picture:
        name = printable(file)
        try:
            header, pixels = read_header_and_pixels(folder / file, image, max_mb)
        except ImageError as error:
            return Picture(name, 0, 0, 0, b"", {"unreadable image": str(error)})
        digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
        digest.update(pixels.data)
        size = header.height, header.width, header.channels
        return Picture(name, *size, digest.digest(), shape_faults(header, image))

    pictures = map_in_threads(decode, files, f"check {split}")
    return pd.DataFrame(pictures, columns=Picture._fields)


def _files_to_check(
    name: str, card: DatasetCard, images: Path, annotations: Annotations
) -> list[str]:
    """Return the annotated files of a split and, if no other split shares it, of its folder.

    Annotated files of any suffix are included, because the stage `split` opens them, too.
    """
    files = set(annotations.table["file"])
    files |= {row.file for row in annotations.bad_rows if row.fault == "unreadable image"}
    folders = [paths.images for paths in card.splits.values()]
    if folders.count(card.splits[name].images) == 1:
        files |= set(filter(has_image_suffix, files_below(images)))
    return sorted(files)


def _check_split(
    split: _Split, settings: CheckSettings, dataset: DatasetSettings
) -> Iterator[Finding]:
    yield from _counts(split)
    yield from _unusable_files(split)
    yield from _classes(split, dataset.class_names, settings.rare_class)
    yield from _sizes(split)
    yield from _boxes(split, dataset, settings.small_box)


def _counts(split: _Split) -> Iterator[Finding]:
    pictures, bad_rows = split.pictures, split.annotations.bad_rows
    unannotated = pictures.loc[pictures["label"].isna(), "file"]
    for name, value in {
        "images": len(pictures),
        "good annotations": len(split.annotations.table),
        "bad annotations": len(bad_rows),
        "images without annotation": len(unannotated),
    }.items():
        yield Finding("fact", "counts", name=name, value=value)
    known = [printable(row.file) for row in bad_rows]
    known += [decision.file for decision in split.annotations.decisions]
    for file in unannotated[~unannotated.isin(known)]:
        yield Finding("note", "image without annotation", file=file)


def _unusable_files(split: _Split) -> Iterator[Finding]:
    """Yield the faults of images and annotations that the stage `split` would refuse."""
    for file, faults in zip(split.pictures["file"], split.pictures["faults"], strict=True):
        for kind, reason in faults.items():
            yield Finding("problem", kind, file=file, detail=reason)
    for row in split.annotations.bad_rows:
        if row.fault != "unreadable image":
            file, detail = printable(row.file), printable(str(row))
            yield Finding("problem", row.fault, file=file, detail=detail)
    for decision in split.annotations.decisions:
        yield Finding("note", decision.kind, file=decision.file)


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
    kinds = Counter(split.readable[["width", "height", "channels"]].itertuples(index=False))
    for (width, height, channels), count in kinds.most_common(_LISTED_SIZES):
        name = f"{width}x{height}, {channels} channel{'s' if channels > 1 else ''}"
        yield Finding("fact", "image size", name=name, value=count)
    if len(kinds) > _LISTED_SIZES:
        yield Finding("fact", "image size", name="other sizes", value=len(kinds) - _LISTED_SIZES)


def _boxes(split: _Split, dataset: DatasetSettings, small: float) -> Iterator[Finding]:
    """Yield statistics of the boxes, boxes not on whole pixels, and small boxes."""
    annotated = split.readable.dropna(subset="label")
    if annotated.empty:
        return
    heights, widths = annotated["height"], annotated["width"]
    corners = annotated[list(BOX_COLUMNS)].to_numpy()
    pixels = pixel_corners(corners, heights, widths)
    sides, pixel_sides = corners[:, 2:] - corners[:, :2], pixels[:, 2:] - pixels[:, :2]
    measures = pd.DataFrame(sides, columns=["width", "height"])
    measures["area"] = sides.prod(axis=1)
    measures["width over height, in pixels"] = pixel_sides[:, 0] / pixel_sides[:, 1]
    statistics = {"smallest": "min", "median": "median", "mean": "mean", "largest": "max"}
    for name, values in measures.items():
        for statistic, method in statistics.items():
            value = float(values.agg(method))
            yield Finding("fact", "box", name=f"{name}, {statistic}", value=value)
    share = float((np.abs(pixels - np.rint(pixels)).max(axis=1) < 1e-3).mean())
    yield Finding("fact", "box", name="share on whole pixels", value=share)
    if dataset.whole_pixel_boxes and share < 1:
        detail = f"{share:.1%} are, but dataset.whole_pixel_boxes is true"
        yield Finding("problem", "boxes not on whole pixels", detail=detail)
    height, width = dataset.image.height, dataset.image.width
    inputs = to_input_frame(corners, compute_placements(heights, widths, height, width))
    shorter = ((inputs[:, 2:] - inputs[:, :2]) * [width, height]).min(axis=1)
    for file, side in zip(annotated["file"], shorter.tolist(), strict=True):
        if side < small:
            detail = f"{side:.1f} pixels in the model input"
            yield Finding("note", "small box", file=file, value=side, detail=detail)


def _repeated_pictures(splits: Sequence[_Split]) -> Iterator[Finding]:
    """Yield pictures that occur more than once, compared by their pixels."""
    # Annotated pictures come first, so that the others are compared with them.
    pictures = pd.concat(
        split.readable.assign(split=split.name).sort_values("label", key=pd.isna, kind="stable")
        for split in splits
    )
    repeated = pictures[pictures.duplicated("digest")]
    firsts = pictures.drop_duplicates("digest")
    for pair in repeated.merge(firsts, "left", "digest", suffixes=("", "_first")).itertuples():
        yield from _compare_pictures(pair, has_test_set=any(each.name == "test" for each in splits))


def _compare_pictures(pair: Any, *, has_test_set: bool) -> Iterator[Finding]:
    """Yield what is wrong with a picture that repeats the `_first` one of the pair."""
    both_annotated = not (pd.isna(pair.label) or pd.isna(pair.label_first))
    detail = f"the same picture as {pair.file_first} ({pair.split_first})"
    if pair.split != pair.split_first:
        yield Finding("problem", "picture in both splits", pair.split, pair.file, detail=detail)
    elif both_annotated and not has_test_set and pair.split == "train":
        kind = "picture that may be in both splits"
        both = f"{detail}; both may be drawn for test"
        yield Finding("problem", kind, pair.split, pair.file, detail=both)
    else:
        yield Finding("note", "repeated picture", pair.split, pair.file, detail=detail)
    if both_annotated and pair.label != pair.label_first:
        labels = f"labels {pair.label:.0f} and {pair.label_first:.0f}"
        kind = "same picture, other label"
        yield Finding("problem", kind, pair.split, pair.file, detail=f"{detail}, {labels}")


def _log_counts(table: pd.DataFrame) -> None:
    for level, log in (("problem", logger.warning), ("note", logger.info)):
        kinds = table.loc[table["level"] == level, "check"].value_counts(sort=False)
        if len(kinds):
            counts = ", ".join(f"{kind} ({number})" for kind, number in kinds.items())
            log("%d %ss: %s.", int(kinds.sum()), level, counts)
        else:
            logger.info("No %ss.", level)
