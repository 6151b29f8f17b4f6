import pytest

from mnist_localization.errors import AnnotationError
from support.annotation_files import assert_all_objects_are_read, read, write_yolo


def test_yolo_text_files_are_read_with_rounding_at_the_border(images):
    assert_all_objects_are_read(read(write_yolo(images), images, format="yolo"))


def test_bad_lines_and_files_without_an_image_are_listed(images):
    folder = write_yolo(images)
    (folder / "a.txt").write_text("0 0.5 0.5\n0 0.9 0.5 0.4 0.2\n", "utf-8")
    (folder / "orphan.txt").write_text("0 0.5 0.5 0.1 0.1\n", "utf-8")
    annotations = read(folder, images, format="yolo")
    assert [(bad.source, bad.line, bad.fault) for bad in annotations.bad_rows] == [
        ("a.txt", 1, "malformed row"),
        ("a.txt", 2, "box outside the image"),
        ("orphan.txt", 1, "missing image"),
    ]


def test_a_file_that_is_not_utf8_text_is_a_bad_row(images):
    folder = write_yolo(images)
    (folder / "a.txt").write_bytes(b"\xff\xfe")
    (bad,) = read(folder, images, format="yolo").bad_rows
    assert str(bad).startswith("a.txt, line 1: not valid UTF-8 text")


@pytest.mark.parametrize(
    ("line", "decisions"),
    [
        ("0 0.375 0.4375 0.5 0.625 0.9", {"confidence of a box ignored": 1}),
        ("0 0.125 0.125 0.625 0.125 0.625 0.75 0.3 0.4", {"box drawn around a polygon": 1}),
        ("0.0e+00 0.375 0.4375 0.5 0.625", {}),
        ("0 3.75e-1 0.4375 0.5 0.625", {}),
    ],
)
def test_variants_of_a_line_are_read(images, line, decisions):
    folder = write_yolo(images)
    (folder / "a.txt").write_text(f"{line}\n", "utf-8")
    annotations = read(folder, images, format="yolo")
    assert_all_objects_are_read(annotations)
    assert annotations.count_decisions() == decisions


def test_other_text_files_are_ignored_and_empty_ones_are_images_without_an_object(images):
    folder = write_yolo(images)
    (folder / "README.txt").write_text("Exported by a tool.\n", "utf-8")
    (folder / "train.txt").write_text("images/a.png\n", "utf-8")
    (folder / "._a.txt").write_bytes(b"\x00\x05\x16\x07")
    (folder / "unannotated.txt").touch()
    annotations = read(folder, images, format="yolo")
    assert annotations.bad_rows == ()
    assert annotations.negatives == ("unannotated.png",)
    assert annotations.count_decisions() == {
        "text file without boxes ignored": 2,
        "image without an object": 1,
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "bee\nant\ncat\n"),
        ("obj.names", "ant\nbee\n"),
        ("../data.yaml", "names: [cat, bee, ant]\n"),
        ("data.yaml", "names: {0: ant, 1: cat, 2: bee}\n"),
    ],
)
def test_a_list_of_classes_in_another_order_is_an_error(images, name, text):
    folder = write_yolo(images)
    (folder / name).write_text(text, "utf-8")
    with pytest.raises(AnnotationError, match=r"order of .*\['ant', 'bee', 'cat'\]"):
        read(folder, images, format="yolo")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "ant\nbee\ncat\n"),
        ("data.yaml", "names:\n  0: ant\n  1: bee\n  2: cat\n"),
        ("data.yaml", "names: {a: ant}\n"),
        ("data.yaml", "[" * 1000),
    ],
)
def test_a_list_of_classes_in_the_same_order_is_accepted(images, name, text):
    folder = write_yolo(images)
    (folder / name).write_text(text, "utf-8")
    assert_all_objects_are_read(read(folder, images, format="yolo"))


def test_a_folder_without_text_files_is_an_error(tmp_path, images):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AnnotationError, match=r"holds no \.txt file"):
        read(tmp_path / "empty", images, format="yolo")
