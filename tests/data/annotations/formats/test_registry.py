"""Every registered format writes predictions that it reads back as the same boxes."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pycocotools.coco import COCO

from mnist_localization.config.data import AnnotationSettings
from mnist_localization.data.annotations.formats import AnnotationFormat, choose_format, load_format
from mnist_localization.data.annotations.reading import read_annotations
from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    SIZE_COLUMNS,
    image_sizes,
    pixel_corners,
)
from mnist_localization.errors import AnnotationError
from mnist_localization.evaluation.predictions import prediction_table
from mnist_localization.registry import module_names
from support.annotation_files import annotation_settings
from support.settings import image_settings, section

FORMATS = module_names("data/annotations/formats")
NAMES = ("ant & bee, both", '<cat> "x"', "dog")
IMAGE = image_settings(height=50, width=100)
FILES = ["a.png", "deep/b.jpg", "c.png"]


@pytest.fixture(params=["one size", "mixed sizes"])
def predictions(request, tmp_path) -> pd.DataFrame:
    boxes = np.array([[0.1, 0.2, 0.55, 0.9], [0, 0, 1, 1], [1 / 3, 0.25, 2 / 3, 0.5]])
    annotations = pd.DataFrame(boxes, columns=list(BOX_COLUMNS)).assign(file=FILES, label=0)
    table = prediction_table(annotations, [2, 1, 0], [0.9, 0.8, 0.7], boxes, boxes)
    sizes = [(50, 100)] * 3
    if request.param == "mixed sizes":
        sizes = [(50, 100), (31, 77), (200, 60)]
        table[list(SIZE_COLUMNS)] = sizes
    for file, (height, width) in zip(FILES, sizes, strict=True):
        (tmp_path / "images" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (width, height)).save(tmp_path / "images" / file)
    return table


def save(written: dict, folder: Path) -> Path:
    """Save a JSON document or texts by file name, as the catalog does, and return the path."""
    folder.mkdir()
    texts = {name: text for name, text in written.items() if isinstance(text, str)}
    if not texts:
        (folder / "document.json").write_text(json.dumps(written), "utf-8")
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    files = [path for path in folder.rglob("*") if path.is_file()]
    return files[0] if len(files) == 1 else folder


def test_the_formats_are_the_modules_of_the_folder():
    assert set(FORMATS) >= {"csv", "coco", "yolo", "voc"}
    for name in FORMATS:
        assert isinstance(load_format(name), AnnotationFormat)


def test_an_unknown_format_is_rejected_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'pascal' is not a module .*auto, coco, createml, csv"):
        AnnotationSettings(**annotation_settings().model_dump() | {"format": "pascal"})


@pytest.mark.parametrize("name", FORMATS)
def test_predictions_are_read_back(predictions, tmp_path, name):
    written = load_format(name).write(predictions, NAMES, IMAGE)
    path = save(written, tmp_path / name)
    settings = section("dataset", class_names=NAMES, annotations={"format": name})
    annotations = read_annotations(path, tmp_path / "images", tmp_path, settings)
    assert annotations.bad_rows == ()
    table = annotations.table.set_index("file").loc[FILES]
    assert table["label"].tolist() == predictions["predicted_label"].tolist()
    heights, widths = image_sizes(predictions, IMAGE.height, IMAGE.width)
    expected = predictions[list(PREDICTED_BOX_COLUMNS)].to_numpy()
    errors = pixel_corners(table[list(BOX_COLUMNS)].to_numpy() - expected, heights, widths)
    # Pixels; one format has whole ones.
    assert np.abs(errors).max() <= (1 if name == "gtsrb" else 1e-4)


@pytest.mark.parametrize("name", FORMATS)
def test_a_written_format_is_detected(predictions, tmp_path, name, caplog):
    caplog.set_level("INFO")
    written = load_format(name).write(predictions, NAMES, IMAGE)
    path = save(written, tmp_path / name)
    assert choose_format("auto", path) == (name, load_format(name))
    settings = section("dataset", class_names=NAMES, annotations={"format": "auto"})
    assert len(read_annotations(path, tmp_path / "images", tmp_path, settings).table) == len(FILES)
    assert f"format {name}: {path}" in caplog.text


@pytest.mark.parametrize("text", ["", "{}", "[]", "[[]]", "[1]", '{"a": 1}', "no"])
def test_an_unknown_file_is_an_error_that_lists_the_formats(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(AnnotationError, match=r"no known format; set .* coco, createml, csv"):
        choose_format("auto", tmp_path / "a.json")


def test_a_folder_of_two_formats_is_an_error(tmp_path):
    (tmp_path / "a.xml").write_text("<annotation/>")
    (tmp_path / "b.txt").write_text("0 0.5 0.5 0.1 0.1")
    with pytest.raises(AnnotationError, match="may be of the formats voc, yolo"):
        choose_format("auto", tmp_path)


GARBAGE = [
    *("null", "1", "[]", "{}", "[null]", "[[]]", "[{}]", '{"a": null}', '{"a": {"regions": 5}}'),
    *('[{"image": "a.png", "annotations": [null, {"label": 1, "coordinates": []}]}]',),
    *('[{"data": {"image": "a.png"}, "annotations": [{"result": [null, {"type": 1}]}]}]',),
    *('[{"data": {"image": 5}}]', '[{"data": [], "annotations": {}}]'),
    *('{"a": {"filename": "a.png", "regions": [null, {"shape_attributes": {"name": "circle"}}]}}',),
    *('{"images": [], "annotations": []}', "\ud800", "[" * 5000),
]


@pytest.mark.parametrize("name", ["coco", "createml", "label_studio", "via_json"])
@pytest.mark.parametrize("text", GARBAGE)
def test_unexpected_json_gives_bad_rows_or_one_error(tmp_path, name, text):
    (tmp_path / "images").mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "images" / "a.png")
    (tmp_path / "a.json").write_text(text, "utf-8", errors="surrogatepass")
    settings = section("dataset", class_names=NAMES, annotations={"format": name})
    with suppress(AnnotationError):
        annotations = read_annotations(tmp_path / "a.json", tmp_path / "images", tmp_path, settings)
        assert annotations.table.empty


def test_the_coco_tools_read_the_document(predictions, tmp_path):
    written = load_format("coco").write(predictions, NAMES, IMAGE)
    coco = COCO(save(written, tmp_path / "coco"))
    assert [cat["name"] for cat in coco.loadCats(coco.getCatIds())] == list(NAMES)
    (first,) = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    np.testing.assert_allclose(first["bbox"], [10, 10, 45, 35])
    assert (first["score"], first["area"]) == (0.9, 1575)


@pytest.mark.parametrize(("name", "suffix"), [("yolo", ".txt"), ("voc", ".xml")])
def test_text_files_are_named_as_the_images(predictions, name, suffix):
    written = load_format(name).write(predictions, NAMES, IMAGE)
    assert set(written) == {f"{stem}{suffix}" for stem in ("a", "deep/b", "c")}


def test_images_that_differ_only_in_their_suffix_keep_it():
    boxes = np.tile([0.1, 0.2, 0.5, 0.9], (2, 1))
    annotations = pd.DataFrame(boxes, columns=list(BOX_COLUMNS))
    annotations = annotations.assign(file=["a.png", "a.jpg"], label=0)
    table = prediction_table(annotations, [0, 1], [1, 1], boxes, boxes)
    written = load_format("yolo").write(table, NAMES, IMAGE)
    assert set(written) == {"a.png.txt", "a.jpg.txt"}
