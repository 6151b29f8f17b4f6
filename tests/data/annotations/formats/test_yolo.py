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


def test_a_file_that_is_not_utf8_text_is_an_error(images):
    folder = write_yolo(images)
    (folder / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(AnnotationError, match=r"a\.txt: not valid UTF-8 text"):
        read(folder, images, format="yolo")


def test_a_folder_without_text_files_is_an_error(tmp_path, images):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AnnotationError, match=r"holds no \.txt file"):
        read(tmp_path / "empty", images, format="yolo")
