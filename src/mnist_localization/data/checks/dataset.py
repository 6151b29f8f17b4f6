"""The check as a whole: every split by itself, then the splits against each other."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mnist_localization.config import CheckSettings, DatasetSettings
from mnist_localization.data.annotations import Annotations, read_annotations
from mnist_localization.data.boxes import BOX_COLUMNS, pixel_corners
from mnist_localization.data.checks.findings import Finding, findings_table
from mnist_localization.data.checks.pictures import Picture, examine_pictures
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images import SUFFIXES, into_input, placements
from mnist_localization.errors import AnnotationError

# Sizes of images that are listed; a folder of photos may hold thousands.
_LISTED_SIZES = 20


@dataclass(frozen=True)
class _Split:
    name: str
    annotations: Annotations
    pictures: Mapping[str, Picture]


@dataclass(frozen=True)
class _Use:
    """Where a picture is, and its label; none where it is not annotated."""

    split: str
    file: str
    label: int | None


def check_dataset(
    settings: CheckSettings,
    dataset: DatasetSettings,
    max_image_mb: float,
    card: DatasetCard,
    raw_folder: Path,
) -> pd.DataFrame:
    """Examine a fetched dataset: its annotations and every one of its images.

    What stays in memory of an image is its size and a hash.

    Args:
        settings: The section `check`.
        dataset: The section `dataset`.
        max_image_mb: Size above which an image counts as not readable, in MiB.
        card: The dataset card.
        raw_folder: Parent of the folders of all sources.

    Returns:
        Columns `CHECK_COLUMNS`; problems first, then notes, then facts.

    Raises:
        AnnotationError: An annotation file is not of its format.
    """
    folder = raw_folder / card.folder
    splits = []
    for name, at in card.splits.items():
        images = folder / at.images
        annotations = read_annotations(
            folder / at.annotations, images, dataset.class_names, dataset.annotations
        )
        files = _files_of(name, card, images, annotations)
        found = examine_pictures(images, files, dataset.image, max_image_mb, name)
        splits.append(_Split(name, annotations, {each.file: each for each in found}))
    if not any(split.pictures for split in splits):
        raise AnnotationError(f"{folder}: there is no image to check; correct the section fetch")
    findings = [finding for split in splits for finding in _of_split(split, settings, dataset)]
    return findings_table([*findings, *_repeated(splits)])


def _files_of(name: str, card: DatasetCard, images: Path, annotations: Annotations) -> list[str]:
    """The images of a split: those of its folder, unless splits share one, and those it names.

    An image may be named that no suffix marks as one: the stage `split` will open it too.
    """
    found = set(annotations.table["file"])
    found |= {row.file for row in annotations.bad_rows if row.fault == "unreadable image"}
    folders = [at.images for at in card.splits.values()]
    if folders.count(card.splits[name].images) > 1:
        return sorted(found)
    for root, _, files in os.walk(images):
        prefix = Path(root).relative_to(images)
        found |= {
            (prefix / file).as_posix()
            for file in files
            if PurePosixPath(file).suffix.lower() in SUFFIXES
        }
    return sorted(found)


def _of_split(
    split: _Split, settings: CheckSettings, dataset: DatasetSettings
) -> Iterator[Finding]:
    yield from _counts(split)
    yield from _bad_rows(split)
    yield from _classes(split, dataset.class_names, settings.rare_class)
    yield from _sizes(split, dataset)
    yield from _boxes(split, dataset, settings.small_box)


def _counts(split: _Split) -> Iterator[Finding]:
    table, pictures = split.annotations.table, split.pictures
    annotated = set(table["file"])
    for name, value in (
        ("images", len(pictures)),
        ("good annotations", len(table)),
        ("bad annotations", len(split.annotations.bad_rows)),
        ("images without annotation", len(pictures.keys() - annotated)),
    ):
        yield Finding("fact", "counts", split.name, name=name, value=value)
    for picture in pictures.values():
        if picture.fault:
            yield Finding(
                "problem", "unreadable image", split.name, picture.file, detail=picture.fault
            )
    named = annotated | {row.file for row in split.annotations.bad_rows}
    for file in sorted(pictures.keys() - named):
        yield Finding("note", "image without annotation", split.name, file)


def _bad_rows(split: _Split) -> Iterator[Finding]:
    for row in split.annotations.bad_rows:
        # An unreadable image is told of once, by the picture itself.
        if row.fault != "unreadable image":
            yield Finding("problem", row.fault, split.name, row.file, detail=str(row))


def _classes(split: _Split, class_names: Sequence[str], rare: int) -> Iterator[Finding]:
    labels = split.annotations.table["label"]
    counts = np.bincount(labels.to_numpy(np.int64), minlength=len(class_names))
    for name, count in zip(class_names, counts.tolist(), strict=True):
        share = count / max(1, len(labels))
        yield Finding(
            "fact", "class balance", split.name, name=name, value=count, detail=f"{share:.1%}"
        )
        if count == 0:
            yield Finding("problem", "class without images", split.name, name=name, value=0)
        elif count < rare:
            yield Finding("note", "rare class", split.name, name=name, value=count)


def _sizes(split: _Split, dataset: DatasetSettings) -> Iterator[Finding]:
    image = dataset.image
    readable = [picture for picture in split.pictures.values() if not picture.fault]
    kinds = Counter((picture.width, picture.height, picture.channels) for picture in readable)
    for (width, height, channels), count in kinds.most_common(_LISTED_SIZES):
        name = f"{width}x{height}, {channels} channel{'s' if channels > 1 else ''}"
        yield Finding("fact", "image size", split.name, name=name, value=count)
    if len(kinds) > _LISTED_SIZES:
        more = len(kinds) - _LISTED_SIZES
        yield Finding("fact", "image size", split.name, name="other sizes", value=more)
    for picture in readable:
        size = f"{picture.width}x{picture.height}"
        if not image.letterbox and (picture.height, picture.width) != (image.height, image.width):
            yield Finding(
                "problem",
                "image of another size",
                split.name,
                picture.file,
                detail=f"{size}, dataset.image says {image.width}x{image.height}; "
                "dataset.image.letterbox would fit it in",
            )
        if not image.convert_channels and picture.channels != image.channels:
            yield Finding(
                "problem",
                "image of other channels",
                split.name,
                picture.file,
                detail=f"{picture.channels}, dataset.image.channels says {image.channels}; "
                "dataset.image.convert_channels would convert it",
            )


def _boxes(split: _Split, dataset: DatasetSettings, small: float) -> Iterator[Finding]:
    """Statistics of the boxes, relative and as the model will see them."""
    table = split.annotations.table
    known = [split.pictures.get(file) for file in table["file"]]
    usable = np.array([picture is not None and not picture.fault for picture in known], bool)
    if not usable.any():
        return
    corners = table.loc[usable, list(BOX_COLUMNS)].to_numpy(np.float64)
    sizes = np.array([(each.height, each.width) for each in known if each and not each.fault])
    sides = corners[:, 2:] - corners[:, :2]
    measures = {"width": sides[:, 0], "height": sides[:, 1], "area": sides.prod(axis=1)}
    pixels = pixel_corners(corners, sizes[:, 0], sizes[:, 1])
    aspects = (pixels[:, 2] - pixels[:, 0]) / (pixels[:, 3] - pixels[:, 1])
    for name, values in (measures | {"width over height, in pixels": aspects}).items():
        for word, value in (
            *(("smallest", values.min()), ("median", np.median(values))),
            *(("mean", values.mean()), ("largest", values.max())),
        ):
            yield Finding("fact", "box", split.name, name=f"{name}, {word}", value=float(value))
    whole = np.abs(pixels - np.rint(pixels)).max(axis=1) < 1e-3
    share = float(whole.mean())
    yield Finding("fact", "box", split.name, name="share on whole pixels", value=share)
    if dataset.whole_pixel_boxes and share < 1:
        detail = f"{share:.1%} do, but dataset.whole_pixel_boxes is true"
        yield Finding("problem", "boxes not on whole pixels", split.name, detail=detail)
    height, width = dataset.image.height, dataset.image.width
    seen = into_input(corners, placements(sizes[:, 0], sizes[:, 1], height, width))
    shorter = ((seen[:, 2:] - seen[:, :2]) * [width, height]).min(axis=1)
    files = table.loc[usable, "file"].to_numpy()
    for index in np.flatnonzero(shorter < small):
        detail = f"{shorter[index]:.1f} pixels in the model's input"
        yield Finding(
            "note", "small box", split.name, files[index], value=shorter[index], detail=detail
        )


def _repeated(splits: Sequence[_Split]) -> Iterator[Finding]:
    """Pictures that are there more than once, by their pixels."""
    first: dict[bytes, _Use] = {}
    for split in splits:
        table = split.annotations.table
        labels = dict(zip(table["file"], table["label"].tolist(), strict=True))
        readable = [picture for picture in split.pictures.values() if not picture.fault]
        # Those that are used first: the others are compare_outputs with them.
        for picture in sorted(readable, key=lambda each: each.file not in labels):
            here = _Use(split.name, picture.file, labels.get(picture.file))
            there = first.setdefault(picture.digest, here)
            if there is not here:
                yield from _of_twins(here, there, drawn=len(splits) == 1)


def _of_twins(here: _Use, there: _Use, *, drawn: bool) -> Iterator[Finding]:
    """What is wrong with a picture that is there twice; drawn: its rows will be shared out."""
    both_used = None not in (here.label, there.label)
    same = f"the same picture as {there.file} ({there.split})"
    if there.split != here.split:
        yield Finding("problem", "picture in both splits", here.split, here.file, detail=same)
    elif drawn and both_used:
        detail = f"{same}; may end up in both training and test"
        yield Finding(
            "problem", "picture that may be in both splits", here.split, here.file, detail=detail
        )
    else:
        yield Finding("note", "repeated picture", here.split, here.file, detail=same)
    if both_used and here.label != there.label:
        detail = f"{same}, labels {here.label} and {there.label}"
        yield Finding("problem", "same picture, other label", here.split, here.file, detail=detail)
