"""CreateML, Open Images and GTSRB: variants of the files that others write."""

import json
from pathlib import Path

import numpy as np
import pytest

from mnist_localization.data.boxes import BOX_COLUMNS
from support.annotation_files import read, write_images

ROI = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images")


@pytest.mark.parametrize("names", [("image", "annotations"), ("imagefilename", "annotation")])
def test_both_spellings_of_createml_are_read(images, names):
    coordinates = {"x": 40, "y": 20, "width": 40, "height": 20}
    entries = [
        {names[0]: "a.png", names[1]: [{"label": "bee", "coordinates": coordinates}]},
        {names[0]: "b.jpg", names[1]: []},
        {names[0]: "deep/c.png", names[1]: [{"label": "bee"}]},
        {names[0]: "deep/d.png"},
    ]
    path = images.parent / "annotations.json"
    path.write_text(json.dumps(entries), "utf-8")
    annotations = read(path, images, format="auto")
    found = annotations.table[list(BOX_COLUMNS)].to_numpy()
    np.testing.assert_allclose(found, [[0.25, 0.25, 0.75, 0.75]])
    assert annotations.negatives == ("b.jpg",)
    assert [(bad.line, bad.file) for bad in annotations.bad_rows] == [
        (3, "deep/c.png"),
        (4, "deep/d.png"),
    ]


def test_groups_of_open_images_are_no_objects(images):
    rows = [
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf",
        "a,xclick,bee,1,0.25,0.75,0.2,0.6,0,0",
        "a,xclick,bee,1,0,1,0,1,0,1",
        "none,xclick,bee,1,0,1,0,1,0,0",
        "b,xclick,bee",
    ]
    path = images.parent / "boxes.csv"
    path.write_text("\n".join(rows), "utf-8")
    annotations = read(path, images, format="auto")
    found = annotations.table[list(BOX_COLUMNS)].to_numpy()
    np.testing.assert_allclose(found, [[0.25, 0.2, 0.75, 0.6]])
    assert annotations.count_decisions() == {
        "crowd ignored": 1,
        "image found by another name": 1,
    }
    assert [bad.line for bad in annotations.bad_rows] == [4, 5]


@pytest.mark.parametrize("is_nested", [False, True])
def test_gtsrb_has_one_table_or_one_per_class(images, is_nested):
    file = "c.png" if is_nested else "a.png"
    row = f"{file};48;32;8;8;40;24;1" if is_nested else f"{file};80;40;20;10;60;30;1"
    path = images.parent / "tables" / ("deep/GT-deep.csv" if is_nested else "GT.csv")
    path.parent.mkdir(parents=True)
    path.write_text(f"{ROI}\n{row}\n", "utf-8")
    annotations = read(images.parent / "tables", images, format="auto")
    assert annotations.bad_rows == ()
    assert annotations.table["file"].tolist() == ["deep/c.png" if is_nested else "a.png"]
    assert annotations.table["label"].tolist() == [1]
