"""CreateML, LabelMe, Open Images and GTSRB: variants of the files that others write."""

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


def write_labelme(images: Path, name: str, *shapes: dict, **changes: object) -> Path:
    path = images.parent / "json" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    document = {"imagePath": f"..\\images\\{name}.png", "imageWidth": 80, "imageHeight": 40}
    path.write_text(json.dumps(document | {"shapes": shapes} | changes), "utf-8")
    return path.parent


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("rectangle", [[20, 10], [60, 30]]),
        ("rectangle", [[60, 30], [20, 10]]),
        ("rectangle", [[20, 10], [60, 10], [60, 30], [20, 30]]),
        ("polygon", [[20, 10], [60, 20], [40, 30]]),
        (None, [[20, 20], [40, 10], [60, 30]]),
        ("circle", [[40, 20], [40, 30]]),
    ],
)
def test_shapes_of_labelme_become_boxes(images, kind, points):
    shape = {"label": "bee", "points": points, "shape_type": kind}
    folder = write_labelme(images, "a", shape)
    write_labelme(images, "empty", imagePath="b.jpg")
    (folder / "notes.json").write_text("{}", "utf-8")
    annotations = read(folder, images, format="auto")
    assert annotations.bad_rows == ()
    assert annotations.table["label"].tolist() == [1]
    left = 0.375 if kind == "circle" else 0.25
    found = annotations.table[list(BOX_COLUMNS)].to_numpy()
    np.testing.assert_allclose(found, [[left, 0.25, 1 - left, 0.75]])
    assert annotations.negatives == ("b.jpg",)
    expected = {"JSON file without shapes ignored": 1, "image without an object": 1}
    if kind != "rectangle":
        expected[f"box drawn around a {kind or 'polygon'}"] = 1
    assert annotations.count_decisions() == expected


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"label": "bee", "points": [[1, 2]], "shape_type": "point"}, "'point' has no box"),
        ({"label": "bee", "points": [[1, 2]], "shape_type": "circle"}, "'circle' has no box"),
        ({"label": "bee", "points": [[1, 2]], "shape_type": "rectangle"}, "not ordered"),
        ({"label": "bee", "points": "none", "shape_type": "rectangle"}, "has no box"),
        ({"label": "bee", "points": [[1, 10**400], [2, 3]]}, "has no box"),
        ({"label": "bee", "shape_type": ["x"]}, "has no box"),
    ],
)
def test_a_shape_of_labelme_without_box_is_a_bad_row(images, shape, reason):
    (bad,) = read(write_labelme(images, "a", shape), images, format="labelme").bad_rows
    assert reason in str(bad)


def test_a_damaged_file_of_labelme_is_a_bad_row(images):
    shape = {"label": "bee", "points": [[20, 10], [60, 30]], "shape_type": "rectangle"}
    folder = write_labelme(images, "a", shape)
    (folder / "b.json").write_text("{", "utf-8")
    annotations = read(folder, images, format="labelme")
    assert len(annotations.table) == 1
    assert "not valid UTF-8 JSON" in str(annotations.bad_rows[0])
