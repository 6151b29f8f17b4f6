"""The same five objects, written in every format, are the same table."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_localization.config import AnnotationFormat, CsvSettings
from mnist_localization.data.annotations import read_annotations
from mnist_localization.data.boxes import BOX_COLUMNS
from mnist_localization.errors import AnnotationError

NAMES = ("ant", "bee", "cat")
# File, height, width, label, corners in pixels.
OBJECTS = [
    ("a.png", 40, 80, 0, (10, 5, 50, 30)),
    ("b.jpg", 90, 30, 1, (0, 0, 30, 90)),
    ("deep/c.png", 32, 48, 2, (8, 8, 40, 24)),
    ("deep/d.png", 33, 77, 1, (1, 2, 76, 31)),
]
EXPECTED = [
    (file, label, *(np.array(box) / [width, height, width, height]))
    for file, height, width, label, box in OBJECTS
]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    for file, height, width, _, _ in OBJECTS:
        Image.new("L", (width, height)).save(folder / file)
    Image.new("L", (5, 5)).save(folder / "unannotated.png")
    (folder / "notes.txt").touch()
    return folder


def assert_expected(found):
    assert found.bad_rows == ()
    assert found.table["file"].tolist() == [row[0] for row in EXPECTED]
    assert found.table["label"].tolist() == [row[1] for row in EXPECTED]
    boxes = found.table[list(BOX_COLUMNS)].to_numpy()
    np.testing.assert_allclose(boxes, [row[2:] for row in EXPECTED], atol=2e-6)
    assert found.unannotated_images == 1


def in_format(box_format, height, width, box):
    """Written out by hand, so that Keras' arithmetic is checked by another."""
    left, top, right, bottom = box
    values = {
        "xyxy": (left, top, right, bottom),
        "yxyx": (top, left, bottom, right),
        "xywh": (left, top, right - left, bottom - top),
        "center_xywh": ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top),
        "center_yxhw": ((top + bottom) / 2, (left + right) / 2, bottom - top, right - left),
    }
    if not box_format.startswith("rel_"):
        return values[box_format]
    name = box_format.removeprefix("rel_")
    sides = [height, width] * 2 if name == "yxyx" else [width, height] * 2
    return tuple(np.array(values[name]) / sides)


@pytest.mark.parametrize(
    "box_format",
    [
        *("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw"),
        *("rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh"),
    ],
)
def test_a_csv_may_name_its_columns_and_hold_any_kind_of_box(tmp_path, images, box_format):
    lines = ["id;p;q;r;s;kind;photo"]
    for number, (file, height, width, label, box) in enumerate(OBJECTS):
        cells = in_format(box_format, height, width, box)
        lines.append(";".join(map(str, [number, *cells, NAMES[label], file])))
    (tmp_path / "rows.csv").write_text("\n".join(lines), "utf-8")
    settings = AnnotationFormat(
        csv_boxes=box_format,
        csv=CsvSettings(columns=("photo", "kind", "p", "q", "r", "s"), delimiter=";"),
    )
    assert_expected(read_annotations(tmp_path / "rows.csv", images, NAMES, settings))


def test_a_missing_column_is_named_with_those_that_there_are(tmp_path, images):
    (tmp_path / "rows.csv").write_text("photo,kind\n", "utf-8")
    settings = AnnotationFormat(csv=CsvSettings(columns=("file", "kind", "a", "b", "c", "d")))
    with pytest.raises(AnnotationError, match=r"rows\.csv.*no column 'file'.*photo, kind"):
        read_annotations(tmp_path / "rows.csv", images, NAMES, settings)


def test_six_columns_must_be_named():
    with pytest.raises(ValueError, match="six columns"):
        CsvSettings(columns=("file", "label", "box"))


def coco(folder, /, **changes):
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
    path = folder.parent / "coco.json"
    path.write_text(json.dumps(document | changes), "utf-8")
    return path


def test_coco_json_is_read(images):
    assert_expected(read_annotations(coco(images), images, NAMES, AnnotationFormat(format="coco")))


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"image_id": 99, "category_id": 7, "bbox": [0, 0, 1, 1]}, "no image has the id 99"),
        ({"image_id": 10, "category_id": 7}, "no bbox"),
        ({"image_id": 10, "category_id": 99, "bbox": [0, 0, 1, 1]}, "name has the id 99"),
        ({"image_id": 10, "category_id": 2, "bbox": [0, 0, 1, 1]}, "name has the id 2"),
        ({"image_id": 10, "category_id": 7, "bbox": [0, 0, 1]}, "not four numbers"),
        ({"image_id": 10, "category_id": 7, "bbox": [0, 0, 81, 9]}, "leaves the image of 80x40"),
        ({"image_id": 10, "category_id": 7, "bbox": [0, 0, -5, 9]}, "not ordered"),
        ({"image_id": 10, "category_id": 7, "bbox": [0, 0, {}, 9]}, "not four numbers"),
        ({"image_id": 10, "category_id": 7, "bbox": [0, 0, 10**400, 9]}, "not four numbers"),
    ],
)
def test_a_bad_coco_annotation_is_listed_by_its_number(images, annotation, reason):
    path = coco(images, annotations=[annotation])
    found = read_annotations(path, images, NAMES, AnnotationFormat(format="coco"))
    (bad,) = found.bad_rows
    assert str(bad).startswith("coco.json, line 1: ")
    assert reason in str(bad)


@pytest.mark.parametrize(
    "content",
    [
        *(b"{", b"[]", b"[" * 100_000, b"\xff\xfe"),
        *(b'{"images": 3}', b'{"images": [3], "annotations": []}'),
        b'{"images": [{"id": [], "file_name": "a.png"}], "annotations": []}',
    ],
)
def test_what_is_no_coco_is_an_error_that_names_the_file(tmp_path, images, content):
    (tmp_path / "coco.json").write_bytes(content)
    with pytest.raises(AnnotationError, match=r"coco\.json"):
        read_annotations(tmp_path / "coco.json", images, NAMES, AnnotationFormat(format="coco"))


@pytest.mark.parametrize("category", [{"id": 1}, {"id": 1, "name": ""}, {"id": 1, "name": None}])
def test_a_category_without_a_name_is_told_by_its_id(images, category):
    annotation = {"image_id": 10, "category_id": 1, "bbox": [0, 0, 1, 1]}
    path = coco(images, categories=[category], annotations=[annotation])
    found = read_annotations(path, images, NAMES, AnnotationFormat(format="coco"))
    assert found.table.empty
    assert [bad.fault for bad in found.bad_rows] == ["unknown label"]
    assert "no category with a name has the id 1" in str(found.bad_rows[0])


def test_without_categories_their_ids_are_the_labels(images):
    annotation = {"image_id": 10, "category_id": 1, "bbox": [0, 0, 1, 1]}
    path = coco(images, categories=[], annotations=[annotation])
    found = read_annotations(path, images, NAMES, AnnotationFormat(format="coco"))
    assert found.table["label"].tolist() == [1]


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_an_image_whose_name_is_no_utf8_is_a_bad_row(images):
    folder = yolo(images)
    for path in (images / "a.png", folder / "a.txt"):
        path.rename(path.with_stem(os.fsdecode(b"\xff")))
    found = read_annotations(folder, images, NAMES, AnnotationFormat(format="yolo"))
    (bad,) = found.bad_rows
    assert "is not Unicode text; rename the file" in str(bad)
    str(bad).encode("utf-8")
    assert len(found.table) == len(OBJECTS) - 1


def yolo(images):
    folder = images.parent / "labels"
    (folder / "deep").mkdir(parents=True)
    for file, height, width, label, box in OBJECTS:
        cells = in_format("rel_center_xywh", height, width, box)
        text = " ".join([str(label), *(f"{cell:.6f}" for cell in cells)])
        (folder / file).with_suffix(".txt").write_text(text + "\n", "utf-8")
    (folder / "classes.txt").write_text("\n".join(NAMES), "utf-8")
    return folder


def test_yolo_text_files_are_read_and_rounding_at_the_border_is_forgiven(images):
    assert_expected(read_annotations(yolo(images), images, NAMES, AnnotationFormat(format="yolo")))


def test_bad_yolo_lines_and_files_without_an_image_are_listed(images):
    folder = yolo(images)
    (folder / "a.txt").write_text("0 0.5 0.5\n0 0.9 0.5 0.4 0.2\n", "utf-8")
    (folder / "orphan.txt").write_text("0 0.5 0.5 0.1 0.1\n", "utf-8")
    found = read_annotations(folder, images, NAMES, AnnotationFormat(format="yolo"))
    assert [(bad.csv, bad.line, bad.fault) for bad in found.bad_rows] == [
        ("a.txt", 1, "malformed row"),
        ("a.txt", 2, "box outside the image"),
        ("orphan.txt", 1, "missing image"),
    ]


VOC = """<annotation><filename>{file}</filename>
<object><name>{name}</name><pose>Left</pose>
<bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox>
</object></annotation>"""


def voc(images):
    folder = images.parent / "xml"
    folder.mkdir()
    for number, (file, _, _, label, box) in enumerate(OBJECTS):
        text = VOC.format(*box, file=file, name=NAMES[label])
        (folder / f"{number}.xml").write_text(text, "utf-8")
    return folder


def test_pascal_voc_xml_is_read(images):
    assert_expected(read_annotations(voc(images), images, NAMES, AnnotationFormat(format="voc")))


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("doctype", [BOMB, EXTERNAL, "<!DOCTYPE annotation>"])
def test_xml_that_declares_a_document_type_is_refused(images, doctype, encoding):
    folder = voc(images)
    text = doctype + VOC.format(1, 2, 3, 4, file="&e;", name="ant")
    (folder / "0.xml").write_bytes(text.encode(encoding))
    with pytest.raises(AnnotationError, match=r"0\.xml: declares a document type"):
        read_annotations(folder, images, NAMES, AnnotationFormat(format="voc"))


@pytest.mark.parametrize(
    "text", ["", "<annotation>", "no", "<a>&unknown;</a>", "<a/>" + " " * 2**20]
)
def test_what_is_no_xml_of_one_image_is_refused(images, text):
    folder = voc(images)
    (folder / "0.xml").write_text(text, "utf-8")
    with pytest.raises(AnnotationError, match=r"0\.xml"):
        read_annotations(folder, images, NAMES, AnnotationFormat(format="voc"))


@pytest.mark.parametrize("file", ["../secret.png", "/etc/passwd", "deep/../../secret.png", "..\\a"])
def test_no_format_names_a_file_outside_the_folder_of_the_images(images, file):
    Image.new("L", (8, 8)).save(images.parent / "secret.png")
    paths = {"coco": coco(images, images=[{"id": 10, "file_name": file}]), "voc": voc(images)}
    (paths["voc"] / "0.xml").write_text(VOC.format(1, 2, 3, 4, file=file, name="ant"), "utf-8")
    for name, path in paths.items():
        found = read_annotations(path, images, NAMES, AnnotationFormat(format=name))
        assert "path outside the folder" in [bad.fault for bad in found.bad_rows]
        assert file not in found.table["file"].tolist()


def test_an_image_whose_size_cannot_be_read_is_a_bad_row(images):
    (images / "a.png").write_bytes(b"no image")
    found = read_annotations(coco(images), images, NAMES, AnnotationFormat(format="coco"))
    assert [(bad.fault, bad.file) for bad in found.bad_rows] == [("unreadable image", "a.png")]
    assert len(found.table) == len(OBJECTS) - 1


@pytest.mark.parametrize(("kind", "suffix"), [("yolo", ".txt"), ("voc", ".xml")])
def test_an_empty_folder_of_annotations_is_an_error(tmp_path, images, kind, suffix):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AnnotationError, match=f"holds no {suffix} file"):
        read_annotations(tmp_path / "empty", images, NAMES, AnnotationFormat(format=kind))
