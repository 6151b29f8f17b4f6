"""Annotations of a whole dataset: tables, class names, report, and the error about bad rows."""

import json
from pathlib import Path

import pytest
from PIL import Image

from mnist_localization.data.annotations.annotating import (
    annotate_dataset,
    describe,
    raise_on_bad_rows,
    read_dataset,
)
from mnist_localization.data.annotations.reading import Annotations
from mnist_localization.errors import AnnotationError
from support.annotation_files import NAMES, read
from support.dataset_cards import make_card
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


def test_dropped_bad_rows_are_counted_in_the_report(images):
    annotations = read_csv(images, f"{GOOD}\nx.png,0,0,0,1,1\nb.png,9,0,0,1,1\n")
    raise_on_bad_rows({"train": annotations}, drop_bad_rows=True, listed=5)
    report = describe(annotations, NAMES, listed=1)
    assert (report.rows, report.good_rows, report.bad_rows) == (3, 1, 2)
    assert len(report.bad_rows_listed) == 1
    assert report.images_per_class == {"ant": 1, "bee": 0, "cat": 0}
    assert report.relative_box_size["width"].max == pytest.approx(0.28)


def test_a_long_list_of_bad_rows_is_shortened(images):
    rows = "\n".join(f"x{number}.png,0,0,0,1,1" for number in range(30))
    annotations = read_csv(images, rows)
    with pytest.raises(AnnotationError, match="30 of 30 rows .* fault, missing image: rows.csv"):
        raise_on_bad_rows({"train": annotations}, drop_bad_rows=False, listed=2)
    mixed = read_csv(images, "\n".join(f"x{number}.png,{number},0,0,1,1" for number in range(9)))
    with pytest.raises(AnnotationError, match="9 bad rows(.|\n)*and 7 more"):
        raise_on_bad_rows({"train": mixed}, drop_bad_rows=False, listed=2)


def test_a_split_without_good_rows_is_an_error_even_if_bad_rows_are_dropped(images):
    annotations = read_csv(images, "x.png,0,0,0,1,1\n")
    with pytest.raises(AnnotationError, match="test annotations have no good row"):
        raise_on_bad_rows({"test": annotations}, drop_bad_rows=True, listed=2)


def annotate(images: Path, **settings) -> tuple:
    root = images.parent
    images.rename(root / "train")
    card = make_card(folder=".").model_copy(
        update={"splits": {"train": make_card().splits["train"]}}
    )
    dataset = section("dataset", class_names=NAMES)
    return annotate_dataset(section("annotate", **settings), dataset, card, root)


def test_without_a_test_set_the_test_table_is_empty(images):
    (images.parent / "train.csv").write_text(f"{GOOD}\nx.png,0,0,0,1,1\n", "utf-8")
    train, validation, test, names, report = annotate(images, on_bad_rows="drop")
    assert train["file"].tolist() == ["a.png"]
    assert (len(test), list(test)) == (0, list(train))
    assert (len(validation), list(validation)) == (0, list(train))
    assert names.root == NAMES
    assert (report.train.bad_rows, report.test) == (1, None)


def test_bad_rows_stop_the_stage_by_default(images):
    (images.parent / "train.csv").write_text(f"{GOOD}\nx.png,0,0,0,1,1\n", "utf-8")
    with pytest.raises(AnnotationError, match=r"train\.csv, line 2"):
        annotate(images)


def test_images_without_an_object_stay_in_the_table(images, caplog):
    (images.parent / "train.csv").write_text(f"{GOOD}\nb.png,,,,,\n", "utf-8")
    caplog.set_level("INFO")
    train, *_, report = annotate(images)
    assert train["file"].tolist() == ["a.png", "b.png"]
    assert train.iloc[1, 1:].isna().all()
    assert report.train.images_without_object == 1
    assert report.train.decisions == {"image without an object": 1}
    assert "train: image without an object (1); `kedro run --pipelines=check`" in caplog.text


def write_sets(root: Path, annotations_format: str, labels: dict[str, list[str]]) -> None:
    """Write one image and one full box for each label of each set."""
    for name, names in labels.items():
        files = [f"{name}{number}.png" for number in range(len(names))]
        (root / name).mkdir()
        for file in files:
            Image.new("L", (8, 8)).save(root / name / file)
        path = root / f"{name}.csv"
        if annotations_format == "csv":
            rows = [f"{file},{label},0,0,1,1" for file, label in zip(files, names, strict=True)]
            path.write_text("\n".join(rows), "utf-8")
        elif annotations_format == "yolo":
            path.mkdir()
            for file, label in zip(files, names, strict=True):
                text = f"{label} 0.5 0.5 1 1\n"
                (path / file).with_suffix(".txt").write_text(text, "utf-8")
        else:
            images = [{"id": number, "file_name": file} for number, file in enumerate(files)]
            categories = [{"id": id_, "name": label} for id_, label in enumerate(set(names), 5)]
            ids = {category["name"]: category["id"] for category in categories}
            annotations = [
                {"image_id": number, "category_id": ids[label], "bbox": [0, 0, 8, 8]}
                for number, label in enumerate(names)
            ]
            document = {"images": images, "categories": categories, "annotations": annotations}
            path.write_text(json.dumps(document), "utf-8")


def read_sets(
    root: Path,
    annotations_format: str,
    labels: dict[str, list[str]],
    class_names: str | list[str] = "auto",
) -> tuple:
    write_sets(root, annotations_format, labels)
    splits = {
        name: {"annotations": f"{name}.csv", "archive": "train.zip", "images": name}
        for name in labels
    }
    card = make_card(folder=".", splits=splits)
    settings = section(
        "dataset", class_names=class_names, annotations={"format": annotations_format}
    )
    return read_dataset(settings, card, root, "error")


@pytest.mark.parametrize("annotations_format", ["csv", "coco"])
def test_auto_takes_the_class_names_from_the_labels_of_all_sets(tmp_path, annotations_format):
    labels = {"train": ["dog", "ant"], "validation": ["ant"], "test": ["bee", "ant"]}
    dataset, annotations = read_sets(tmp_path, annotations_format, labels)
    assert dataset.class_names == ("ant", "bee", "dog")
    tables = {name: each.table["label"].tolist() for name, each in annotations.items()}
    assert tables == {"train": [2, 0], "validation": [0], "test": [1, 0]}


@pytest.mark.parametrize("file", ["classes.txt", "data.yaml"])
def test_auto_takes_the_names_of_numbers_from_a_list_next_to_the_annotations(tmp_path, file):
    names = ["dog", "ant", "bee"]
    text = "\n".join(names) if file == "classes.txt" else f"names: {names}"
    (tmp_path / file).write_text(text, "utf-8")
    dataset, annotations = read_sets(tmp_path, "yolo", {"train": ["2", "0"], "test": ["1.0"]})
    assert dataset.class_names == tuple(names)
    assert annotations["train"].table["label"].tolist() == [2, 0]
    assert annotations["test"].table["label"].tolist() == [1]


@pytest.mark.parametrize("file", ["classes.txt", "data.yaml"])
def test_a_list_outside_the_folder_of_the_dataset_is_of_another_dataset(tmp_path, file):
    text = "cow\nhen\n" if file == "classes.txt" else "names: [cow, hen]"
    (tmp_path / file).write_text(text, "utf-8")
    own = tmp_path / "own"
    own.mkdir()
    dataset, _ = read_sets(own, "yolo", {"train": ["1", "0"]})
    assert dataset.class_names == ("0", "1")


def test_auto_takes_a_list_of_any_length(tmp_path):
    names = tuple(f"name {number}" for number in range(1203))
    (tmp_path / "classes.txt").write_text("\n".join(names), "utf-8")
    dataset, _ = read_sets(tmp_path, "yolo", {"train": ["1202", "0"]})
    assert dataset.class_names == names


def test_auto_keeps_numbers_that_have_no_names(tmp_path):
    dataset, annotations = read_sets(tmp_path, "yolo", {"train": ["3", "1"]})
    assert dataset.class_names == ("0", "1", "2", "3")
    assert annotations["train"].table["label"].tolist() == [3, 1]


@pytest.mark.parametrize("annotations_format", ["csv", "coco"])
def test_auto_takes_numbers_as_names_if_the_format_has_names(tmp_path, annotations_format):
    labels = ["120", "30", "050", "2019"]
    dataset, annotations = read_sets(tmp_path, annotations_format, {"train": labels})
    assert dataset.class_names == ("30", "050", "120", "2019")
    assert annotations["train"].table["label"].tolist() == [2, 0, 1, 3]


@pytest.mark.parametrize("names", [["1", "2", "3"], ["0", "1", "10", "2"], ["no", "1.0", "yes"]])
@pytest.mark.parametrize("is_auto", [True, False])
def test_a_number_of_yolo_is_a_place_in_the_list_whatever_the_names(tmp_path, names, is_auto):
    (tmp_path / "data.yaml").write_text(f"names: [{', '.join(names)}]", "utf-8")
    labels = [str(number) for number in range(len(names))]
    found = "auto" if is_auto else names
    dataset, annotations = read_sets(tmp_path, "yolo", {"train": labels}, found)
    assert dataset.class_names == tuple(names)
    assert annotations["train"].table["label"].tolist() == list(range(len(names)))


def test_one_odd_label_does_not_change_the_classes(tmp_path):
    (tmp_path / "classes.txt").write_text("dog\nant\n", "utf-8")
    dataset, annotations = read_sets(tmp_path, "yolo", {"train": ["0", "1", "cat", "-1"]})
    assert dataset.class_names == ("dog", "ant")
    assert [bad.fault for bad in annotations["train"].bad_rows] == ["unknown label"] * 2


def test_auto_refuses_a_list_with_a_name_twice(tmp_path):
    (tmp_path / "classes.txt").write_text("cat\ndog\ncat\n", "utf-8")
    with pytest.raises(AnnotationError, match=r"classes\.txt: lists a class twice"):
        read_sets(tmp_path, "yolo", {"train": ["0", "1"]})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["", ""], "the objects have no labels"),
        ([f"name {number}" for number in range(1001)], "1001 classes are more than 1000"),
    ],
)
def test_auto_refuses_labels_that_give_no_classes(tmp_path, labels, message):
    with pytest.raises(AnnotationError, match=message):
        read_sets(tmp_path, "csv", {"train": labels})


def test_auto_needs_labels(tmp_path):
    (tmp_path / "train").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "train" / "a.png")
    (tmp_path / "train.csv").write_text("file,xmin,ymin,xmax,ymax\na.png,0,0,1,1\n", "utf-8")
    card = make_card(folder=".", splits={"train": make_card().splits["train"]})
    settings = section("dataset", class_names="auto")
    with pytest.raises(AnnotationError, match="list with one name"):
        read_dataset(settings, card, tmp_path, "error")
