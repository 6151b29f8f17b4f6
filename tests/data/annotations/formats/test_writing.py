"""What is written is read back as the same boxes, by us and by the COCO tools."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pycocotools.coco import COCO

from mnist_localization.config import AnnotationFormat, ImageSettings
from mnist_localization.data.annotations import as_coco, as_voc, as_yolo, read_annotations
from mnist_localization.data.boxes import BOX_COLUMNS, PREDICTED_BOX_COLUMNS, SIZE_COLUMNS
from mnist_localization.evaluation import prediction_table

NAMES = ("ant & bee", "<cat>", "dog")
IMAGE = ImageSettings(height=50, width=100, channels=1)
FILES = ["a.png", "deep/b.jpg", "c.png"]


@pytest.fixture(params=["one size", "mixed sizes"])
def predictions(request, tmp_path) -> pd.DataFrame:
    boxes = np.array([[0.1, 0.2, 0.55, 0.9], [0, 0, 1, 1], [1 / 3, 0.25, 2 / 3, 0.5]])
    annotations = pd.DataFrame(boxes, columns=list(BOX_COLUMNS)).assign(file=FILES, label=0)
    table = prediction_table(annotations, [2, 1, 0], [0.9, 0.8, 0.7], boxes, boxes)
    sizes = [(50, 100)] * 3
    if request.param == "mixed sizes":
        sizes = [(50, 100), (31, 77), (200, 60)]
        table[list(SIZE_COLUMNS)] = sizes
    for file, (height, width) in zip(FILES, sizes, strict=True):
        (tmp_path / "images" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (width, height)).save(tmp_path / "images" / file)
    return table


def assert_read_back(path, kind, predictions, tmp_path):
    found = read_annotations(path, tmp_path / "images", NAMES, AnnotationFormat(format=kind))
    assert found.bad_rows == ()
    table = found.table.set_index("file").loc[FILES]
    assert table["label"].tolist() == predictions["predicted_label"].tolist()
    np.testing.assert_allclose(
        table[list(BOX_COLUMNS)].to_numpy(),
        predictions[list(PREDICTED_BOX_COLUMNS)].to_numpy(),
        atol=2e-6,
    )


def test_coco_json_is_read_back(predictions, tmp_path):
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(as_coco(predictions, NAMES, IMAGE)), "utf-8")
    assert_read_back(path, "coco", predictions, tmp_path)
    coco = COCO(path)
    assert [cat["name"] for cat in coco.loadCats(coco.getCatIds())] == list(NAMES)
    (first,) = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    np.testing.assert_allclose(first["bbox"], [10, 10, 45, 35])
    assert (first["score"], first["area"]) == (0.9, 1575)


@pytest.mark.parametrize("kind", ["yolo", "voc"])
def test_files_by_image_are_read_back(predictions, tmp_path, kind):
    written = as_yolo(predictions) if kind == "yolo" else as_voc(predictions, NAMES, IMAGE)
    assert set(written) == {"a", "deep/b", "c"}
    for name, text in written.items():
        path = (tmp_path / kind / name).with_suffix({"yolo": ".txt", "voc": ".xml"}[kind])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert_read_back(tmp_path / kind, kind, predictions, tmp_path)


def test_images_that_differ_in_their_suffix_alone_keep_it():
    boxes = np.tile([0.1, 0.2, 0.5, 0.9], (2, 1))
    annotations = pd.DataFrame(boxes, columns=list(BOX_COLUMNS))
    annotations = annotations.assign(file=["a.png", "a.jpg"], label=0)
    table = prediction_table(annotations, [0, 1], [1, 1], boxes, boxes)
    assert set(as_yolo(table)) == {"a.png", "a.jpg"}
