import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_localization.data.annotations.reading import Annotations
from mnist_localization.data.boxes import BOX_COLUMNS
from support.annotation_files import read, write_images

# Half of the height and a quarter of the width of `a.png`, which has 80x40 pixels.
VALUE = {"x": 50, "y": 25, "width": 25, "height": 50}
BOX = [0.5, 0.25, 0.75, 0.75]


def task(*results: Any, image: str = "a.png", **changes: Any) -> dict[str, Any]:
    return {"data": {"image": image}, "annotations": [{"result": list(results)}], **changes}


def rectangle(*labels: str, **changes: Any) -> dict[str, Any]:
    value = VALUE | {"rotation": 0, "rectanglelabels": list(labels), **changes}
    return {"type": "rectanglelabels", "value": value}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images")


def read_tasks(images: Path, *tasks: Any, name: str = "tasks.json") -> Annotations:
    path = images.parent / name
    path.write_text(json.dumps(tasks), "utf-8")
    return read(path, images, format="auto")


def assert_one_bee(annotations: Annotations, file: str = "a.png") -> None:
    assert annotations.bad_rows == ()
    assert annotations.table["file"].tolist() == [file]
    assert annotations.table["label"].tolist() == [1]
    np.testing.assert_allclose(annotations.table[list(BOX_COLUMNS)].to_numpy(), [BOX])


@pytest.mark.parametrize(
    "image",
    [
        "a.png",
        "/data/upload/3/0123abcd-a.png",
        "/data/local-files/?d=some/where/a.png",
        "http://127.0.0.1:8080/data/upload/a.png",
        "s3://bucket/photos/a.png",
    ],
)
def test_the_image_of_a_task_is_found(images, image):
    assert_one_bee(read_tasks(images, task(rectangle("bee"), image=image)))


def test_a_label_may_be_a_result_of_its_own(images):
    results = [
        {"id": "r1", "type": "rectangle", "value": VALUE},
        {"id": "r1", "type": "labels", "value": VALUE | {"labels": ["bee"]}},
        {"type": "choices", "value": {"choices": ["sharp"]}},
    ]
    assert_one_bee(read_tasks(images, task(*results)))


def test_a_box_is_drawn_around_a_polygon(images):
    points = [[50, 25], [75, 30], [60, 75]]
    result = {
        "type": "polygonlabels",
        "value": {"points": points, "polygonlabels": ["bee"]},
    }
    annotations = read_tasks(images, task(result))
    assert_one_bee(annotations)
    assert annotations.count_decisions() == {"box drawn around a polygon": 1}


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_the_short_exports_are_read(images, kind):
    rest = {"id": 4, "annotator": 1, "annotation_id": 9, "created_at": "2026", "lead_time": 2.5}
    region = VALUE | {"rotation": 0, "rectanglelabels": ["bee"], "original_width": 80}
    first = {"photo": "/data/upload/1/0123abcd-a.png", "shape": [region], "tags": ["x"], **rest}
    if kind == "json":
        assert_one_bee(read_tasks(images, first))
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, list(first))
    writer.writeheader()
    writer.writerow(first | {"shape": json.dumps([region]), "tags": ""})
    path = images.parent / "export.csv"
    path.write_text(text.getvalue(), "utf-8")
    assert_one_bee(read(path, images, format="auto"))


def test_tasks_that_are_skipped_or_not_annotated_are_no_negatives(images):
    skipped = {"result": [rectangle("ant")], "was_cancelled": True}
    annotations = read_tasks(
        images,
        task(rectangle("bee")),
        {"data": {"image": "b.jpg"}, "annotations": []},
        {"data": {"image": "deep/c.png"}, "annotations": [skipped]},
    )
    assert_one_bee(annotations)
    assert annotations.negatives == ()


def test_an_annotation_without_regions_is_an_image_without_an_object(images):
    annotations = read_tasks(images, task(rectangle("bee")), task(image="b.jpg"))
    assert annotations.negatives == ("b.jpg",)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (rectangle("bee", rotation=12.5), "rotated by 12.5 degrees; draw it upright"),
        (rectangle("bee", "ant"), "the box has 2 labels, expected 1"),
        (rectangle(), "unknown label ''"),
        (rectangle("bee", width=None), "has no box; draw a rectangle"),
        (rectangle("bee", width=10**400), "has no box; draw a rectangle"),
        ({"type": "brushlabels", "value": {"brushlabels": ["bee"]}}, "'brushlabels' has no box"),
        ({"type": "polygonlabels", "value": {"points": []}}, "has no box"),
        ({"id": {}, "type": ["x"], "value": 3}, "has no box"),
    ],
)
def test_a_region_that_is_no_upright_box_of_one_class_is_a_bad_row(images, result, reason):
    annotations = read_tasks(images, task(rectangle("bee")), task(result, image="b.jpg"))
    (bad,) = annotations.bad_rows
    assert (bad.line, bad.file) == (2, "b.jpg")
    assert reason in str(bad)
