"""Inspection of a folder with images and annotations, for a first configuration."""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mnist_localization.config.data import DatasetSettings
from mnist_localization.data.annotations.box_fitting import RowError, parse_box
from mnist_localization.data.annotations.class_names import find_class_names
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    RawRow,
    ReadContext,
    choose_format,
)
from mnist_localization.data.annotations.reading import read_annotations
from mnist_localization.data.images.decode import has_image_suffix, read_header
from mnist_localization.errors import AnnotationError, ImageError, UnreadableError
from mnist_localization.files import files_below
from mnist_localization.registry import module_names

logger = logging.getLogger(__name__)

# Names of folders and files, and the set of images that each means.
_SETS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_ANNOTATION_SUFFIXES = (".json", ".csv", ".xml", ".txt")
# More JSON files are those of single images.
_FEW_DOCUMENTS = 9
# Images whose header is read to propose a size.
_MEASURED = 300
# Input of the model if the images have different sizes, pixels.
_SIDE = 96
# Images of one size up to this one are not resized.
_LARGEST_SIDE = 128
# Name of the class if the objects have no labels.
_ONLY_CLASS = "object"


@dataclass(frozen=True)
class Proposal:
    """Facts about a folder, and the configuration that fits them.

    Attributes:
        sets: Folder of the images, and annotation file or folder, relative to the inspected
            folder, of `train` and, if the dataset has such sets, `validation` and `test`.
        dataset: Differences from the section `dataset` of conf/base.
        bad_rows: Rows that cannot be used.
        several: Images with several objects.
        good_rows: Images with one object.
    """

    sets: dict[str, tuple[str, str]]
    dataset: dict[str, Any]
    bad_rows: int
    several: int
    good_rows: int


def inspect_folder(folder: Path, base: DatasetSettings, annotations: str = "") -> Proposal:
    """Return what a folder contains and how to read it.

    Args:
        folder: Folder with images and annotations.
        base: The section `dataset` of conf/base.
        annotations: Annotation file or folder of all images; by default, the only one that is
            found, or the only one of each set if folders are named as sets.

    Raises:
        AnnotationError: There are no images, or no annotations of a known format.
    """
    names = sorted(files_below(folder))
    pictures = [name for name in names if has_image_suffix(name)]
    if not pictures:
        raise AnnotationError(f"{folder}: contains no images; name the folder of a dataset")
    if annotations:
        sets = {"train": (_common_folder(pictures), annotations)}
    else:
        sets = _find_sets(folder, names, pictures)
    name, form = choose_format("auto", folder / sets["train"][1])
    sets, rows = _sets_with_boxes(folder, form, sets, base)
    places = [(folder / found, folder / images) for images, found in sets.values()]
    files = {file for _, images in places for file in files_below(images)}
    settings: dict[str, Any] = {
        "class_names": _class_names(rows, [path for path, _ in places], folder, form.has_numbers),
        "image": _image_settings(folder, pictures),
        "whole_pixel_boxes": False,
        "annotations": {"format": name, **_csv_settings(rows, files, form.box_format is None)},
    }
    dataset = _merged(base, settings)
    read = [read_annotations(*place, folder, dataset, "drop_image") for place in places]
    several = "image with several objects left out"
    return Proposal(
        sets,
        settings,
        bad_rows=sum(len(each.bad_rows) for each in read),
        several=sum(each.count_decisions().get(several, 0) for each in read),
        good_rows=sum(len(each.table) for each in read),
    )


def _sets_with_boxes(
    folder: Path, form: AnnotationFormat, sets: dict[str, tuple[str, str]], base: DatasetSettings
) -> tuple[dict[str, tuple[str, str]], list[RawRow]]:
    """Return the sets with objects, and the objects of all of them."""
    kept: dict[str, tuple[str, str]] = {}
    rows: list[RawRow] = []
    for name, (images, annotations) in sets.items():
        context = ReadContext(frozenset(files_below(folder / images)), base.annotations, ())
        found = form.read(folder / annotations, context)
        objects = [row for row in found if isinstance(row, RawRow) and row.box]
        if objects:
            kept[name] = images, annotations
            rows += objects
        elif name == "train":
            raise AnnotationError(f"{folder / annotations}: contains no boxes; name other ones")
        else:
            logger.warning("The annotations of the %s images have no boxes; not used.", name)
    return kept, rows


def _merged(base: DatasetSettings, settings: dict[str, Any]) -> DatasetSettings:
    merged = base.model_dump()
    for key, value in settings.items():
        merged[key] = {**merged[key], **value} if isinstance(value, dict) else value
    merged["annotations"]["csv"] = {
        **base.annotations.csv.model_dump(),
        **settings["annotations"].get("csv", {}),
    }
    return DatasetSettings.model_validate(merged)


def _find_sets(
    folder: Path, names: Sequence[str], pictures: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Return images and annotations of each set; folders such as `train` and `valid` name sets."""
    of_set: dict[str, list[str]] = {}
    for picture in pictures:
        of_set.setdefault(_set_of(PurePosixPath(picture).parent), []).append(picture)
    found = {
        name: _matching(folder, [each for each in names if _set_of(each) == name])
        for name in dict.fromkeys(_SETS.values())
        if name in of_set
    }
    if "" in of_set or not found.get("train"):
        if len(of_set) > 1:
            logger.warning(
                "The folders of the sets %s are not used as sets, because other folders hold "
                "images as well, or no annotations belong to the training images alone.",
                ", ".join(filter(None, of_set)),
            )
        return {"train": (_common_folder(pictures), _only(folder, _matching(folder, names)))}
    for name in (name for name, matching in found.items() if not matching):
        logger.warning("The %s images have no annotations and are not used.", name)
    return {
        name: (_common_folder(of_set[name]), _only(folder, matching))
        for name, matching in found.items()
        if matching
    }


def _set_of(path: str | PurePosixPath) -> str:
    """Return the name of the set that a path names, or an empty string."""
    words = re.split(r"[^a-z]+", str(path).lower())
    return next((_SETS[word] for word in words if word in _SETS), "")


def _common_folder(names: Sequence[str]) -> str:
    """Return the deepest folder that contains all files."""
    parts = [PurePosixPath(name).parts[:-1] for name in names]
    common = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return "/".join(common) or "."


def _matching(folder: Path, names: Sequence[str]) -> list[str]:
    """Return the files and folders that are annotations of a known format."""
    matching: list[str] = []
    for suffix in _ANNOTATION_SUFFIXES:
        files = [name for name in names if name.lower().endswith(suffix)]
        if suffix == ".txt":
            # Lists of images or classes are next to the folders with one file per image.
            files = [name for name in files if "/" in name] or files
        common = _common_folder(files)
        if len(files) > 1 and _is_known(folder / common):
            matching.append(common)
        elif len(files) == 1 or (suffix == ".json" and len(files) <= _FEW_DOCUMENTS):
            matching += [name for name in files if _is_known(folder / name)]
    return list(dict.fromkeys(matching))


def _only(folder: Path, matching: Sequence[str]) -> str:
    if len(matching) != 1:
        known = ", ".join(module_names("data/annotations/formats"))
        listed = ", ".join(matching[:9]) or f"none of the formats {known}"
        raise AnnotationError(
            f"{folder}: expected one annotation file or folder, found {listed}; remove "
            "the others, or name one for all images with --annotations"
        )
    return matching[0]


def _is_known(path: Path) -> bool:
    try:
        choose_format("auto", path)
    except UnreadableError:
        raise
    except AnnotationError:
        return False
    return True


def _class_names(
    rows: Sequence[RawRow], paths: Sequence[Path], folder: Path, has_numbers: bool
) -> list[str]:
    labels = {row.label for row in rows}
    if labels == {""}:
        return [_ONLY_CLASS]
    return list(find_class_names(labels, paths, folder, has_numbers=has_numbers))


def _csv_settings(rows: Sequence[RawRow], files: set[str], is_csv: bool) -> dict[str, Any]:
    """Return box format and file pattern of a CSV."""
    if not is_csv:
        return {}
    boxes = np.array(list(_boxes(rows)))
    kind = Counter(row.box_format.removeprefix("rel_") for row in rows).most_common(1)[0][0]
    if not kind:
        ordered = (boxes[:, 2:] > boxes[:, :2]).all(axis=1).mean() if len(boxes) else 1
        kind = "xyxy" if ordered > 0.9 else "xywh"
    is_relative = len(boxes) > 0 and np.median(np.abs(boxes).max(axis=1)) <= 1
    settings: dict[str, Any] = {"csv_boxes": f"rel_{kind}" if is_relative else kind}
    in_folders = sum(f"{row.label}/{row.file}" in files for row in rows)
    if in_folders > len(rows) / 2:
        settings["csv"] = {"file": "{label}/{file}"}
    return settings


def _boxes(rows: Sequence[RawRow]) -> Iterator[tuple[float, ...]]:
    for row in rows:
        try:
            yield parse_box(row.box)
        except RowError:
            continue


def _image_settings(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return the input of the model for a sample of the images."""
    headers = []
    for name in names[:: max(1, len(names) // _MEASURED)]:
        try:
            headers.append(read_header(folder / name))
        except ImageError:
            continue
    if not headers:
        raise AnnotationError(f"{folder}: no image can be read; convert the images to JPEG or PNG")
    sizes = {(header.height, header.width) for header in headers}
    channels = {header.channels for header in headers}
    is_uniform = len(sizes) == 1 and max(next(iter(sizes))) <= _LARGEST_SIDE
    height, width = next(iter(sizes)) if is_uniform else (_SIDE, _SIDE)
    return {
        "height": height,
        "width": width,
        "channels": 1 if channels == {1} else 3,
        "letterbox": not is_uniform,
        "convert_channels": channels not in ({1}, {3}),
        "background": 0,
    }


def to_yaml_text(value: Any) -> str:
    """Return a value as YAML in one line; a text with `${` is no reference to another key."""
    return json.dumps(value, ensure_ascii=False).replace("${", "\\\\${")
