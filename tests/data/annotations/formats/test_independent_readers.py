"""Libraries that others wrote read the annotation files that the project writes."""

import csv
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from globox import AnnotationSet
from PIL import Image

from mnist_localization.data.annotations.formats import load_format
from mnist_localization.data.boxes import BOX_COLUMNS, SIZE_COLUMNS, pixel_corners
from mnist_localization.evaluation.predictions import prediction_table
from mnist_localization.registry import module_names
from support.settings import image_settings

with warnings.catch_warnings():
    # It recommends OpenCV.
    warnings.simplefilter("ignore")
    from supervision import DetectionDataset

NAMES = ("ant", "bee", "cat & dog")
FILES = ["a.jpg", "b.jpg", "c.jpg"]
LABELS = [2, 1, 0]
SIZES = np.array([(50, 100), (31, 77), (200, 60)])
BOXES = np.array([[0.1, 0.2, 0.55, 0.9], [0, 0, 1, 1], [1 / 3, 0.25, 2 / 3, 0.5]])

Found = dict[str, tuple[str, list[float]]]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for file, (height, width) in zip(FILES, SIZES.tolist(), strict=True):
        Image.new("RGB", (width, height)).save(folder / file)
    return folder


def written(name: str, folder: Path) -> Path:
    """Write the boxes in a format; return the file, or the folder of several."""
    table = pd.DataFrame(BOXES, columns=list(BOX_COLUMNS)).assign(file=FILES, label=0)
    predictions = prediction_table(table, LABELS, [0.9, 0.8, 0.7], BOXES, BOXES)
    predictions[list(SIZE_COLUMNS)] = SIZES
    texts = load_format(name).write(predictions, NAMES, image_settings(50, 100, 3))
    if not all(isinstance(text, str) for text in texts.values()):
        texts = {"document.json": json.dumps(texts)}
    folder.mkdir()
    for file, text in texts.items():
        (folder / file).write_text(text, "utf-8")
    return folder / next(iter(texts)) if len(texts) == 1 else folder


def by_globox(found: AnnotationSet) -> Found:
    names = [str(each.boxes[0].label) for each in found]
    boxes = [list(each.boxes[0].ltrb) for each in found]
    files = [each.image_id for each in found]
    return dict(zip(files, zip(names, boxes, strict=True), strict=True))


def by_supervision(found: DetectionDataset) -> Found:
    return {
        Path(path).name: (found.classes[int(each.class_id[0])], each.xyxy[0].tolist())
        for path, _, each in found
        if each.class_id is not None
    }


def read_csv(path: Path, _: Path) -> Found:
    table = pd.read_csv(path).set_index("file").loc[FILES]
    corners = pixel_corners(table[list(BOX_COLUMNS)].to_numpy(), SIZES[:, 0], SIZES[:, 1])
    names = table["label"].astype(str).tolist()
    return dict(zip(FILES, zip(names, corners.tolist(), strict=True), strict=True))


def read_via_csv(path: Path, _: Path) -> Found:
    found = {}
    for row in csv.DictReader(path.read_text("utf-8").splitlines()):
        shape = json.loads(row["region_shape_attributes"])
        left, top = shape["x"], shape["y"]
        corners = [left, top, left + shape["width"], top + shape["height"]]
        found[row["filename"]] = (json.loads(row["region_attributes"])["label"], corners)
    return found


def read_gtsrb(path: Path, _: Path) -> Found:
    table = pd.read_csv(path, sep=";").set_index("Filename")
    corners = table[["Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2"]].to_numpy().tolist()
    names = [NAMES[number] for number in table["ClassId"]]
    return dict(zip(table.index, zip(names, corners, strict=True), strict=True))


def read_label_studio(path: Path, _: Path) -> Found:
    found = {}
    for task in json.loads(path.read_text("utf-8")):
        (result,) = task["predictions"][0]["result"]
        value, width, height = result["value"], result["original_width"], result["original_height"]
        left, top = value["x"] / 100 * width, value["y"] / 100 * height
        right, bottom = left + value["width"] / 100 * width, top + value["height"] / 100 * height
        file = Path(task["data"]["image"]).name
        found[file] = (value["rectanglelabels"][0], [left, top, right, bottom])
    return found


def read_yolo_by_supervision(folder: Path, images: Path) -> Found:
    path = folder.parent / "data.yaml"
    path.write_text(f"names: {json.dumps(NAMES)}\n", "utf-8")
    return by_supervision(DetectionDataset.from_yolo(str(images), str(folder), str(path)))


def read_yolo_by_globox(folder: Path, images: Path) -> Found:
    found = by_globox(AnnotationSet.from_yolo_v5(folder, image_folder=images))
    return {file: (NAMES[int(label)], box) for file, (label, box) in found.items()}


def read_open_images(path: Path, images: Path) -> Found:
    for file in FILES:
        # An ImageID has no suffix, and this reader opens the file of that name.
        (images / file).rename(images / Path(file).stem)
    found = by_globox(AnnotationSet.from_openimage(path, image_folder=images))
    return {f"{name}.jpg": each for name, each in found.items()}


def read_via_json(path: Path, images: Path) -> Found:
    settings = {"label_key": "label", "image_folder": images}
    return by_globox(AnnotationSet.from_via_json(path, **settings))


def read_createml(path: Path, images: Path) -> Found:
    return by_supervision(DetectionDataset.from_createml(str(images), str(path)))


def read_coco(path: Path, images: Path) -> Found:
    return by_supervision(DetectionDataset.from_coco(str(images), str(path)))


def read_coco_by_globox(path: Path, _: Path) -> Found:
    return by_globox(AnnotationSet.from_coco(path))


def read_labelme(path: Path, images: Path) -> Found:
    return by_supervision(DetectionDataset.from_labelme(str(images), str(path)))


def read_labelme_by_globox(path: Path, _: Path) -> Found:
    return by_globox(AnnotationSet.from_labelme(path))


def read_voc(path: Path, _: Path) -> Found:
    # The reader of supervision counts pixels from 1, as the VOC challenge did.
    return by_globox(AnnotationSet.from_pascal_voc(path))


READERS: list[tuple[str, Callable[[Path, Path], Found]]] = [
    ("coco", read_coco),
    ("coco", read_coco_by_globox),
    ("createml", read_createml),
    ("csv", read_csv),
    ("gtsrb", read_gtsrb),
    ("label_studio", read_label_studio),
    ("labelme", read_labelme),
    ("labelme", read_labelme_by_globox),
    ("open_images", read_open_images),
    ("via_csv", read_via_csv),
    ("via_json", read_via_json),
    ("voc", read_voc),
    ("yolo", read_yolo_by_supervision),
    ("yolo", read_yolo_by_globox),
]


def test_each_format_has_another_reader():
    assert {name for name, _ in READERS} == set(module_names("data/annotations/formats"))


@pytest.mark.parametrize(("name", "reader"), READERS)
def test_another_reader_finds_the_same_boxes(tmp_path, images, name, reader):
    found = reader(written(name, tmp_path / "annotations"), images)
    assert [found[file][0] for file in FILES] == [NAMES[label] for label in LABELS]
    expected = pixel_corners(BOXES, SIZES[:, 0], SIZES[:, 1])
    np.testing.assert_allclose(
        [found[file][1] for file in FILES], expected, atol=1 if name == "gtsrb" else 1e-3
    )
