"""The same four objects as image files and as annotations of several formats."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mnist_localization.config.data import AnnotationSettings
from mnist_localization.data.annotations.reading import Annotations, read_annotations
from mnist_localization.data.boxes import BOX_COLUMNS
from support.settings import section

NAMES = ("ant", "bee", "cat")
# File, height, width, label, corners in pixels.
OBJECTS = [
    ("a.png", 40, 80, 0, (10, 5, 50, 30)),
    ("b.jpg", 90, 30, 1, (0, 0, 30, 90)),
    ("deep/c.png", 32, 48, 2, (8, 8, 40, 24)),
    ("deep/d.png", 33, 77, 1, (1, 2, 76, 31)),
]
VOC = """<annotation><filename>{file}</filename>
<object><name>{name}</name><pose>Left</pose>
<bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox>
</object></annotation>"""


def annotation_settings(**changes: Any) -> AnnotationSettings:
    """Return `dataset.annotations` of `conf/base` with changes."""
    settings: AnnotationSettings = section("dataset", annotations=changes).annotations
    return settings


def read(path: Path, images: Path, **changes: Any) -> Annotations:
    """Read annotations of the classes `NAMES`, with changes of `dataset.annotations`."""
    return read_annotations(
        path, images, images.parent, section("dataset", class_names=NAMES, annotations=changes)
    )


def write_images(folder: Path) -> Path:
    """Write the images of `OBJECTS`, one without annotation, and a file that is not an image."""
    (folder / "deep").mkdir(parents=True)
    for file, height, width, _, _ in OBJECTS:
        Image.new("L", (width, height)).save(folder / file)
    Image.new("L", (5, 5)).save(folder / "unannotated.png")
    (folder / "notes.txt").touch()
    return folder


def assert_all_objects_are_read(annotations: Annotations) -> None:
    """Assert that the annotations are those of `OBJECTS`."""
    assert annotations.bad_rows == ()
    assert annotations.table["file"].tolist() == [file for file, *_ in OBJECTS]
    assert annotations.table["label"].tolist() == [label for _, _, _, label, _ in OBJECTS]
    expected = [in_format("rel_xyxy", height, width, box) for _, height, width, _, box in OBJECTS]
    boxes = annotations.table[list(BOX_COLUMNS)].to_numpy()
    np.testing.assert_allclose(boxes, expected, atol=2e-6)
    assert annotations.unannotated_images == 1


def in_format(box_format: str, height: int, width: int, box: Sequence[float]) -> tuple[float, ...]:
    """Return pixel corners in a box format, written out for each format."""
    left, top, right, bottom = box
    boxes = {
        "xyxy": (left, top, right, bottom),
        "yxyx": (top, left, bottom, right),
        "xywh": (left, top, right - left, bottom - top),
        "center_xywh": ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top),
        "center_yxhw": ((top + bottom) / 2, (left + right) / 2, bottom - top, right - left),
    }
    if not box_format.startswith("rel_"):
        return boxes[box_format]
    name = box_format.removeprefix("rel_")
    sides = [height, width] * 2 if name == "yxyx" else [width, height] * 2
    return tuple(np.array(boxes[name]) / sides)


def write_coco(images: Path, /, **changes: Any) -> Path:
    """Write the objects as COCO JSON, with other values of its keys."""
    document = {
        "images": [
            {"id": 10 + n, "file_name": file, "height": height, "width": width}
            for n, (file, height, width, _, _) in enumerate(OBJECTS)
        ],
        "categories": [{"id": 7 + n, "name": name} for n, name in enumerate(NAMES)],
        "annotations": [
            {
                "id": n,
                "image_id": 10 + n,
                "category_id": 7 + label,
                "bbox": list(in_format("xywh", height, width, box)),
            }
            for n, (_, height, width, label, box) in enumerate(OBJECTS)
        ],
    }
    path = images.parent / "coco.json"
    path.write_text(json.dumps(document | changes), "utf-8")
    return path


def write_yolo(images: Path) -> Path:
    """Write the objects as YOLO text files."""
    folder = images.parent / "labels"
    (folder / "deep").mkdir(parents=True)
    for file, height, width, label, box in OBJECTS:
        cells = in_format("rel_center_xywh", height, width, box)
        text = " ".join([str(label), *(f"{cell:.6f}" for cell in cells)])
        (folder / file).with_suffix(".txt").write_text(text + "\n", "utf-8")
    (folder / "classes.txt").write_text("\n".join(NAMES), "utf-8")
    return folder


def write_voc(images: Path) -> Path:
    """Write the objects as Pascal VOC files."""
    folder = images.parent / "xml"
    folder.mkdir()
    for number, (file, _, _, label, box) in enumerate(OBJECTS):
        text = VOC.format(*box, file=file, name=NAMES[label])
        (folder / f"{number}.xml").write_text(text, "utf-8")
    return folder
