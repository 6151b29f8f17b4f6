import pytest

from mnist_localization.errors import AnnotationError
from support.annotation_files import assert_all_objects_are_read, read, write_coco


def test_coco_json_is_read(images):
    assert_all_objects_are_read(read(write_coco(images), images, format="coco"))


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"image_id": 99, "category_id": 7, "bbox": [0, 0, 1, 1]}, "no image has the id 99"),
        ({"image_id": 10, "category_id": 7}, "no bbox"),
        ({"image_id": 10, "category_id": 99, "bbox": [0, 0, 1, 1]}, "name has the id 99"),
        ({"image_id": 10, "category_id": 2, "bbox": [0, 0, 1, 1]}, "name has the id 2"),
        ({"image_id": 10, "category_id": 7, "bbox": [0, 0, 1]}, "not four numbers"),
        ({"image_id": 10, "category_id": 7, "bbox": [0, 0, 82, 9]}, "leaves the image of 80x40"),
        ({"image_id": 10, "category_id": 7, "bbox": [0, 0, -5, 9]}, "not ordered"),
        ({"image_id": 10, "category_id": 7, "bbox": [0, 0, {}, 9]}, "not four numbers"),
        ({"image_id": 10, "category_id": 7, "bbox": [0, 0, 10**400, 9]}, "not four numbers"),
    ],
)
def test_a_bad_annotation_is_listed_with_its_number(images, annotation, reason):
    annotations = read(write_coco(images, annotations=[annotation]), images, format="coco")
    (bad,) = annotations.bad_rows
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
def test_a_file_that_is_not_coco_json_is_an_error(tmp_path, images, content):
    (tmp_path / "coco.json").write_bytes(content)
    with pytest.raises(AnnotationError, match=r"coco\.json"):
        read(tmp_path / "coco.json", images, format="coco")


@pytest.mark.parametrize("category", [{"id": 1}, {"id": 1, "name": ""}, {"id": 1, "name": None}])
def test_a_category_without_a_name_is_a_bad_row(images, category):
    annotation = {"image_id": 10, "category_id": 1, "bbox": [0, 0, 1, 1]}
    path = write_coco(images, categories=[category], annotations=[annotation])
    annotations = read(path, images, format="coco")
    assert annotations.table.empty
    assert [bad.fault for bad in annotations.bad_rows] == ["unknown label"]
    assert "no category with a name has the id 1" in str(annotations.bad_rows[0])


def test_without_categories_their_ids_are_the_labels(images):
    annotation = {"image_id": 10, "category_id": 1, "bbox": [0, 0, 1, 1]}
    path = write_coco(images, categories=[], annotations=[annotation])
    assert read(path, images, format="coco").table["label"].tolist() == [1]


def test_crowds_are_ignored_and_images_without_annotations_have_no_object(images):
    crowd = {"image_id": 11, "category_id": 7, "bbox": [0, 0, 9, 9], "iscrowd": 1}
    annotation = {"image_id": 10, "category_id": 7, "bbox": [0, 0, 9, 9]}
    path = write_coco(images, annotations=[crowd, annotation])
    annotations = read(path, images, format="coco")
    assert annotations.table["file"].tolist() == ["a.png"]
    assert annotations.negatives == ("deep/c.png", "deep/d.png")
    assert annotations.count_decisions() == {"crowd ignored": 1, "image without an object": 2}


def test_numbers_that_start_at_1_are_an_error(images):
    rows = [{"image_id": 9 + n, "category_id": n, "bbox": [0, 0, 9, 9]} for n in (1, 2, 3)]
    path = write_coco(images, categories=[], annotations=rows)
    with pytest.raises(AnnotationError, match=r"numbers are 1 to 3, but numbering starts at 0"):
        read(path, images, format="coco")
