import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_localization.data.annotations.reading import Annotations
from mnist_localization.data.boxes import BOX_COLUMNS
from support.annotation_files import read, write_images

HEADER = (
    "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
    "region_attributes"
)
RECTANGLE = {"name": "rect", "x": 20, "y": 10, "width": 40, "height": 20}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images")


def read_region(images: Path, kind: str, shape: Any, attributes: Any) -> Annotations:
    """Read a region of `a.png` from a project, its older version, or a CSV."""
    region = {"shape_attributes": shape, "region_attributes": attributes}
    path = images.parent / ("via.csv" if kind == "csv" else "via.json")
    if kind == "csv":
        cells = [json.dumps(shape), json.dumps(attributes)]
        quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
        path.write_text(f"{HEADER}\na.png,1,{{}},1,0,{','.join(quoted)}\n", "utf-8")
    else:
        regions = {"0": region} if kind == "version 1" else [region]
        entries = {"a.png1": {"filename": "a.png", "size": 1, "regions": regions}}
        document = {"_via_img_metadata": entries} if kind == "project" else entries
        path.write_text(json.dumps(document), "utf-8")
    return read(path, images, format="auto")


@pytest.mark.parametrize("kind", ["project", "version 1", "export", "csv"])
@pytest.mark.parametrize(
    ("shape", "decision"),
    [
        (RECTANGLE, ""),
        ({"name": "circle", "cx": 40, "cy": 20, "r": 10}, "circle"),
        ({"name": "ellipse", "cx": 40, "cy": 20, "rx": 20, "ry": 10}, "ellipse"),
        (
            {"name": "polygon", "all_points_x": [20, 60, 30], "all_points_y": [10, 30, 20]},
            "polygon",
        ),
    ],
)
def test_a_shape_becomes_its_box(images, kind, shape, decision):
    annotations = read_region(images, kind, shape, {"type": "bee"})
    assert annotations.bad_rows == ()
    assert annotations.table["label"].tolist() == [1]
    left = 0.375 if decision == "circle" else 0.25
    found = annotations.table[list(BOX_COLUMNS)].to_numpy()
    np.testing.assert_allclose(found, [[left, 0.25, 1 - left, 0.75]])
    expected = {f"box drawn around a {decision}": 1} if decision else {}
    assert annotations.count_decisions() == expected


@pytest.mark.parametrize(
    "attributes",
    [{"class": "bee"}, {"species": "bee"}, {"kind": {"bee": True, "ant": False}}, {"label": "1"}],
)
def test_the_label_is_the_usual_attribute_or_the_only_one(images, attributes):
    annotations = read_region(images, "export", RECTANGLE, attributes)
    assert annotations.table["label"].tolist() == [1]


@pytest.mark.parametrize(
    ("shape", "attributes", "reason"),
    [
        (RECTANGLE, {}, "unknown label ''"),
        (RECTANGLE, {"size": "large", "sort": "bee"}, "unknown label ''"),
        (RECTANGLE, {"label": {"bee": True, "ant": True}}, "unknown label ''"),
        ({"name": "point", "cx": 3, "cy": 4}, {"label": "bee"}, "'point' has no box"),
        ({"name": "polygon", "all_points_x": []}, {"label": "bee"}, "'polygon' has no box"),
        (RECTANGLE | {"width": "wide"}, {"label": "bee"}, "not four numbers"),
    ],
)
@pytest.mark.parametrize("kind", ["export", "csv"])
def test_a_region_without_class_or_box_is_a_bad_row(images, kind, shape, attributes, reason):
    (bad,) = read_region(images, kind, shape, attributes).bad_rows
    assert reason in str(bad)


def test_an_image_without_regions_has_no_object(images):
    path = images.parent / "via.csv"
    path.write_text(f'{HEADER}\na.png,1,{{}},0,0,"{{}}","{{}}"\n', "utf-8")
    assert read(path, images, format="via_csv").negatives == ("a.png",)
