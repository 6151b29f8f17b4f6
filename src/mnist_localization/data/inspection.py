"""Inspection of a folder with images and annotations, for a first configuration."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mnist_localization.config.data import DatasetSettings
from mnist_localization.data.annotations.box_fitting import RowError, parse_box
from mnist_localization.data.annotations.class_numbers import class_lists
from mnist_localization.data.annotations.detection import choose_format
from mnist_localization.data.annotations.formats import RawRow, ReadContext
from mnist_localization.data.annotations.reading import Annotations, read_annotations
from mnist_localization.data.images.decode import has_image_suffix, read_header
from mnist_localization.errors import AnnotationError, ImageError
from mnist_localization.files import files_below

_ANNOTATION_SUFFIXES = (".json", ".csv", ".xml", ".txt")
# Images whose header is read to propose a size.
_MEASURED = 300
# Input of the model if the images have different sizes, pixels.
_SIDE = 96
# Images of one size up to this one are not resized.
_LARGEST_SIDE = 128
_CLASSES = ("?", "??")


@dataclass(frozen=True)
class Proposal:
    """Facts about a folder, and the configuration that fits them.

    Attributes:
        images: Folder of the images, relative to the inspected one.
        annotations: Annotation file or folder, relative to the inspected one.
        dataset: Differences from the section `dataset` of conf/base.
        bad_rows: Rows that cannot be used.
        several: Images with several objects.
        good_rows: Images with one object.
    """

    images: str
    annotations: str
    dataset: dict[str, Any]
    bad_rows: int
    several: int
    good_rows: int


def inspect_folder(folder: Path, base: DatasetSettings, annotations: str = "") -> Proposal:
    """Return what a folder contains and how to read it.

    Args:
        folder: Folder with images and annotations.
        base: The section `dataset` of conf/base.
        annotations: Annotation file or folder; by default, the only one that is found.

    Raises:
        AnnotationError: There are no images, or no annotations of a known format.
    """
    names = sorted(files_below(folder))
    pictures = [name for name in names if has_image_suffix(name)]
    if not pictures:
        raise AnnotationError(f"{folder}: contains no images; name the folder of a dataset")
    images = _common_folder(pictures)
    found = annotations or _find_annotations(folder, names)
    path = folder / found
    name, form = choose_format("auto", path)
    files = frozenset(files_below(folder / images))
    context = ReadContext(files, base.annotations, _CLASSES)
    rows = [row for row in form.read(path, context) if isinstance(row, RawRow) and row.box]
    if not rows:
        raise AnnotationError(f"{path}: contains no boxes; name other annotations")
    settings: dict[str, Any] = {
        "class_names": _class_names(rows, path),
        "image": _image_settings(folder, pictures),
        "whole_pixel_boxes": False,
        "annotations": {"format": name, **_csv_settings(rows, files, form.box_format is None)},
    }
    read = _read(path, folder / images, base, settings)
    several = read.count_decisions().get("image with several objects left out", 0)
    return Proposal(images, found, settings, len(read.bad_rows), several, len(read.table))


def _read(path: Path, images: Path, base: DatasetSettings, settings: dict[str, Any]) -> Annotations:
    merged = base.model_dump()
    for key, value in settings.items():
        merged[key] = {**merged[key], **value} if isinstance(value, dict) else value
    merged["annotations"]["csv"] = {
        **base.annotations.csv.model_dump(),
        **settings["annotations"].get("csv", {}),
    }
    dataset = DatasetSettings.model_validate(merged)
    return read_annotations(path, images, dataset, "drop_image")


def _common_folder(names: Sequence[str]) -> str:
    """Return the deepest folder that contains all files."""
    parts = [PurePosixPath(name).parts[:-1] for name in names]
    common = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return "/".join(common) or "."


def _find_annotations(folder: Path, names: Sequence[str]) -> str:
    """Return the only file or folder of annotations."""
    candidates = []
    for suffix in _ANNOTATION_SUFFIXES:
        files = [name for name in names if name.lower().endswith(suffix)]
        if suffix == ".json" or len(files) == 1:
            candidates += files
        elif files:
            candidates.append(_common_folder(files))
    matching = [each for each in dict.fromkeys(candidates) if _is_known(folder / each)]
    if len(matching) != 1:
        listed = ", ".join(matching[:9]) or "none"
        raise AnnotationError(
            f"{folder}: expected one annotation file or folder, found {listed}; name it with "
            "--annotations"
        )
    return matching[0]


def _is_known(path: Path) -> bool:
    try:
        choose_format("auto", path)
    except AnnotationError:
        return False
    return True


def _class_names(rows: Sequence[RawRow], path: Path) -> list[str]:
    labels = sorted({row.label for row in rows})
    numbers = [_whole_number(label) for label in labels]
    if None in numbers:
        return labels
    for _, names in class_lists(path):
        return names
    return [str(number) for number in range(max(number or 0 for number in numbers) + 1)]


def _whole_number(text: str) -> int | None:
    try:
        return int(text) if float(text).is_integer() and float(text) < 10**4 else None
    except ValueError:
        return None


def _csv_settings(rows: Sequence[RawRow], files: frozenset[str], is_csv: bool) -> dict[str, Any]:
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
