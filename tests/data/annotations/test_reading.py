import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from mnist_localization.data.annotations.annotating import raise_on_bad_rows
from mnist_localization.data.annotations.reading import Annotations, read_annotations
from mnist_localization.data.boxes import BOX_COLUMNS
from mnist_localization.errors import AnnotationError
from support.annotation_files import (
    NAMES,
    OBJECTS,
    VOC,
    read,
    write_coco,
    write_images,
    write_voc,
    write_yolo,
)
from support.settings import section

GOOD = "a.png,0,0.1,0.2,0.38,0.48"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "b.png", "deep/c.png"):
        Image.new("L", (8, 8)).save(folder / name)
    return folder


def read_csv(images: Path, text: str) -> Annotations:
    path = images.parent / "rows.csv"
    path.write_text(text, "utf-8")
    return read(path, images)


def test_a_missing_annotation_file_is_an_error(images):
    with pytest.raises(AnnotationError, match=r"none\.csv: missing; run"):
        read(images / "none.csv", images)


def test_file_names_are_normalized(images):
    rows = ["./a.png,0,0,0,1,1", "deep//./c.png,0,0,0,1,1", "deep/../b.png,0,0,0,1,1"]
    rows += ["deep/../a.png,0,0,0,1,1"]
    annotations = read_csv(images, "\n".join(rows))
    assert annotations.table["file"].tolist() == ["a.png", "deep/c.png", "b.png"]
    assert annotations.count_decisions() == {"repeated row ignored": 1}
    assert annotations.unannotated_images == 0


def test_a_label_is_a_class_name_or_else_a_number(images):
    annotations = read_csv(images, "a.png,bee,0,0,1,1\nb.png,2,0,0,1,1\n")
    assert annotations.table["label"].tolist() == [1, 2]
    path = images.parent / "rows.csv"
    numbered = read_annotations(
        path, images, images.parent, section("dataset", class_names=("2", "bee", "0"))
    )
    assert numbered.table["label"].tolist() == [1, 0]


def test_a_missing_image_is_reported_with_the_searched_folder(images):
    (bad,) = read_csv(images, "x.png,0,0,0,1,1\n").bad_rows
    assert f"'x.png' does not exist in {images}" in str(bad)


def test_an_annotated_file_without_image_suffix_does_not_count_as_unannotated(images):
    (images / "photo").touch()
    assert read_csv(images, "photo,0,0,0,1,1\n").unannotated_images == 3


@pytest.mark.parametrize(
    ("box", "expected"),
    [("-0.0000005,0,1.0000005,0.5", (0.0, 0.0, 1.0, 0.5)), ("0,0,1.02,0.5", None)],
)
def test_rounding_at_the_border_is_clipped_and_more_is_rejected(images, box, expected):
    annotations = read_csv(images, f"a.png,0,{box}\n")
    if expected:
        assert tuple(annotations.table.loc[0, list(BOX_COLUMNS)]) == expected
    else:
        assert [bad.fault for bad in annotations.bad_rows] == ["box outside the image"]


def test_a_box_that_clipping_leaves_without_area_is_rejected(images):
    (bad,) = read_csv(images, "a.png,0,1.0000001,0,1.0000002,0.5\n").bad_rows
    assert bad.fault == "box outside the image"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x.png,0,0.1,0.2,0.3,0.4", "does not exist"),
        ("../x.png,0,0.1,0.2,0.3,0.4", "leaves the folder"),
        ("/etc/passwd,0,0.1,0.2,0.3,0.4", "leaves the folder"),
        ("..\\x.png,0,0.1,0.2,0.3,0.4", "leaves the folder"),
        ("b.png,3,0.1,0.2,0.3,0.4", "unknown label"),
        ("b.png,-1,0.1,0.2,0.3,0.4", "unknown label"),
        ("b.png,,0.1,0.2,0.3,0.4", "unknown label"),
        ("b.png,0,nan,0.2,0.3,0.4", "not finite"),
        ("b.png,0,0.1,0.2,inf,0.4", "not finite"),
        ("b.png,0,0.1,0.2,1.02,0.4", r"leaves \[0, 1\]"),
        ("b.png,0,-0.02,0.2,0.3,0.4", r"leaves \[0, 1\]"),
        ("b.png,0,0.3,0.2,0.1,0.4", "not ordered"),
        ("b.png,0,0.1,0.2,0.1,0.4", "not ordered"),
        ("b.png,0,0.1,0.2,zero,0.4", "not four numbers"),
        ("b.png,0,0.1,0.2,0.3", "5 columns, expected 6"),
    ],
)
def test_a_bad_row_is_listed_with_file_line_and_reason(images, row, reason):
    annotations = read_csv(images, f"{GOOD}\n{row}\n")
    assert len(annotations.table) == 1
    (bad,) = annotations.bad_rows
    assert (bad.source, bad.line) == ("rows.csv", 2)
    with pytest.raises(AnnotationError, match=rf"rows.csv, line 2: .*{reason}"):
        raise_on_bad_rows({"train": annotations}, drop_bad_rows=False, listed=5)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_an_image_whose_name_is_not_utf8_is_a_bad_row(tmp_path):
    images = write_images(tmp_path / "all")
    folder = write_yolo(images)
    for path in (images / "a.png", folder / "a.txt"):
        path.rename(path.with_stem(os.fsdecode(b"\xff")))
    annotations = read(folder, images, format="yolo")
    (bad,) = annotations.bad_rows
    assert "is not Unicode text; rename the file" in str(bad)
    str(bad).encode("utf-8")
    assert len(annotations.table) == len(OBJECTS) - 1


@pytest.mark.parametrize(
    "file", ["../secret.png", "/etc/passwd", "deep/../../secret.png", "..\\secret"]
)
def test_no_format_can_name_a_file_outside_the_folder_of_the_images(images, file):
    Image.new("L", (8, 8)).save(images.parent / "secret.png")
    paths = {
        "coco": write_coco(images, images=[{"id": 10, "file_name": file}]),
        "voc": write_voc(images),
    }
    (paths["voc"] / "0.xml").write_text(VOC.format(1, 2, 3, 4, file=file, name="ant"), "utf-8")
    for name, path in paths.items():
        annotations = read(path, images, format=name)
        assert "leaves the folder of the images" in " ".join(map(str, annotations.bad_rows))
        assert file not in annotations.table["file"].tolist()


def test_an_image_whose_size_cannot_be_read_is_a_bad_row(tmp_path):
    images = write_images(tmp_path / "all")
    (images / "a.png").write_bytes(b"no image")
    annotations = read(write_coco(images), images, format="coco")
    assert [(bad.fault, bad.file) for bad in annotations.bad_rows] == [
        ("unreadable image", "a.png")
    ]
    assert len(annotations.table) == len(OBJECTS) - 1


@pytest.mark.parametrize(
    "module",
    [
        "mnist_localization.pipelines.annotate",
        "mnist_localization.pipelines.check",
        "mnist_localization.pipelines.export_predictions",
    ],
)
def test_annotations_are_read_and_checked_without_tensorflow(module):
    code = f"""
import sys
import {module}
from mnist_localization.registry import load_modules
load_modules("data/annotations/formats")
from mnist_localization.data.boxes import relative_corners
relative_corners([[1, 2, 3, 4]], "center_xywh", 10, 10)
assert not {{"tensorflow", "keras"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


SEVERAL = f"{GOOD}\na.png,1,0,0,0.9,0.9\nb.png,1,0,0,1,1\n"


def several(images, on_several):
    path = images.parent / "rows.csv"
    path.write_text(SEVERAL, "utf-8")
    dataset = section("dataset", class_names=NAMES)
    return read_annotations(path, images, images.parent, dataset, on_several)


def test_an_image_with_several_objects_is_bad_by_default(images):
    annotations = several(images, "error")
    assert annotations.table["file"].tolist() == ["b.png"]
    assert [(bad.line, bad.fault) for bad in annotations.bad_rows] == [
        (1, "several objects"),
        (2, "several objects"),
    ]
    with pytest.raises(AnnotationError, match="Set annotate.on_several to largest or drop_image"):
        raise_on_bad_rows({"train": annotations}, drop_bad_rows=False, listed=5)


def test_the_largest_of_several_objects_can_be_kept(images):
    annotations = several(images, "largest")
    assert annotations.table["label"].tolist() == [1, 1]
    assert annotations.bad_rows == ()
    assert annotations.count_decisions() == {"smaller objects of an image left out": 1}


def test_an_image_with_several_objects_can_be_left_out(images):
    annotations = several(images, "drop_image")
    assert annotations.table["file"].tolist() == ["b.png"]
    assert annotations.count_decisions() == {"image with several objects left out": 1}


def test_an_image_with_and_without_an_object_is_a_bad_row(images):
    (bad,) = read_csv(images, f"{GOOD}\na.png,,,,,\n").bad_rows
    assert "with and without an object" in str(bad)


def test_litter_of_operating_systems_is_no_image(images):
    for name in ("._a.png", ".DS_Store", "__MACOSX/a.png", "deep/Thumbs.db"):
        (images / name).parent.mkdir(exist_ok=True)
        (images / name).touch()
    assert read_csv(images, GOOD).unannotated_images == 2
