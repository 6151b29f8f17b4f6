"""A dataset of one's own, by the shipped example: from its files to the report."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from PIL import Image

from examples.draw_shapes import SHAPES, draw_shapes
from mnist_localization.config.data import (
    AnnotateSettings,
    DatasetSettings,
    FetchSettings,
    SplitSettings,
)
from mnist_localization.data.annotations.annotating import annotate_dataset
from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    SIZE_COLUMNS,
    image_sizes,
    pixel_corners,
)
from mnist_localization.data.images.store import ImageStore
from mnist_localization.data.sources import fetch
from mnist_localization.data.splitting import split_dataset
from mnist_localization.errors import LocalizationError
from support.project import KEDRO, ROOT, Project, clean_environment

COUNT = 120
STAGES = "fetch,check,annotate,split,train,evaluate,publish,export_predictions"


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


def truth(project: Project) -> pd.DataFrame:
    rows = pd.read_csv(project.path / "data" / "shapes" / "annotations.csv").set_index("image")
    left, top = rows["left"], rows["top"]
    return rows.assign(right=left + rows["width"], bottom=top + rows["height"])


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run the example: all stages, a look at the dataset, and the formats of other tools."""
    project = Project.make(tmp_path_factory.mktemp("own") / "project", env="own_images")
    draw_shapes(project.path / "data" / "shapes", COUNT, seed=1)
    before = state(project.path / "data" / "shapes")
    said = project.run(
        f"--pipelines={STAGES}",
        "--params",
        "train.architecture=report2020,train.epochs=1,wandb.mode=offline",
    )
    assert state(project.path / "data" / "shapes") == before, "the folder must never be changed"
    return project, said


def test_the_example_goes_from_files_to_report_without_a_warning(ran):
    project, said = ran
    for line in said.splitlines():
        if " WARNING " in line:
            assert "the model" in line, line
        assert "Warning" not in line, line
    card = project.json("01_raw/dataset_card.json")
    assert (card["source"], card["train_images"], card["test_images"]) == ("folder", COUNT, 0)
    assert re.fullmatch("[0-9a-f]{64}", card["files"]["annotations.csv"]["sha256"])
    assert project.metrics()["dataset"]["source"] == "folder"
    report = (project.data / "08_reporting" / "report.html").read_text("utf-8")
    assert "a local folder of images and annotations" in report


def test_the_splits_are_a_stratified_partition_of_the_rows(ran):
    project, _ = ran
    files: list[str] = []
    for name, images in (("train", 96), ("validation", 12), ("test", 12)):
        folder = project.data / "05_model_input" / f"{name}_split"
        rows = pd.read_parquet(folder / "annotations.parquet")
        assert len(rows) == images
        assert rows["label"].value_counts().to_dict() == dict.fromkeys(range(4), images // 4)
        files += rows["file"].tolist()
    assert sorted(files) == sorted(truth(project).index)


def test_predictions_speak_of_each_file_in_its_own_frame(ran):
    project, _ = ran
    predictions = pd.read_parquet(project.data / "07_model_output" / "predictions.parquet")
    rows = truth(project).loc[predictions["file"]]
    sizes = predictions[list(SIZE_COLUMNS)].to_numpy()
    for file, (height, width) in zip(predictions["file"], sizes, strict=True):
        with Image.open(project.path / "data" / "shapes" / "images" / file) as image:
            assert (image.height, image.width) == (height, width)
    assert len(np.unique(sizes, axis=0)) > 5
    found = pixel_corners(
        predictions[list(BOX_COLUMNS)].to_numpy(), *image_sizes(predictions, 1, 1)
    )
    expected = rows[["left", "top", "right", "bottom"]].to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    names = np.array(list(SHAPES))[predictions["label"]]
    assert names.tolist() == rows["shape"].tolist()
    given = predictions[list(PREDICTED_BOX_COLUMNS)].to_numpy()
    assert given.min() >= 0
    assert given.max() <= 1


def test_the_check_finds_nothing_wrong_with_the_example(ran):
    project, said = ran
    check = pd.read_parquet(project.data / "08_reporting" / "dataset_check.parquet")
    assert "No problems." in said
    balance = check[check["check"] == "class balance"].set_index("name")["value"]
    assert balance.to_dict() == dict.fromkeys(SHAPES, COUNT / 4)
    page = (project.data / "08_reporting" / "check.html").read_text("utf-8")
    assert "No problems." in page


def test_predictions_are_written_in_each_annotation_format(ran):
    project, _ = ran
    output = project.data / "07_model_output"
    predictions = pd.read_parquet(output / "predictions.parquet")
    stems = {Path(file).stem for file in predictions["file"]}
    for folder, suffix in (("predictions_yolo", ".txt"), ("predictions_voc", ".xml")):
        assert {path.name for path in (output / folder).iterdir()} == {
            f"{stem}{suffix}" for stem in stems
        }
    table = pd.read_csv(output / "predictions_csv" / "predictions.csv")
    assert table["file"].tolist() == predictions["file"].tolist()
    coco = project.json("07_model_output/predictions_coco.json")
    assert [image["file_name"] for image in coco["images"]] == predictions["file"].tolist()


def test_an_archive_of_images_is_unpacked_beside_and_a_test_set_of_its_own_is_kept(tmp_path):
    shapes = tmp_path / "data" / "shapes"
    shapes.mkdir(parents=True)
    for name, count, seed in (("train", 40, 2), ("test", 12, 3)):
        draw_shapes(tmp_path / name, count, seed)
        shutil.make_archive(str(shapes / name), "zip", tmp_path / name / "images")
        shutil.copyfile(tmp_path / name / "annotations.csv", shapes / f"{name}.csv")
    before = state(shapes)
    parameters = example_parameters()
    parameters["fetch"]["folder"] |= {
        **{"train_images": "train.zip", "train_annotations": "train.csv"},
        **{"test_images": "test.zip", "test_annotations": "test.csv"},
    }
    dataset = DatasetSettings(**parameters["dataset"])
    raw = tmp_path / "raw"
    card = fetch(FetchSettings(**parameters["fetch"]), raw, tmp_path)
    assert (card.train_images, card.test_images) == (40, 12)
    train, validation, test, names, _ = annotate_dataset(
        AnnotateSettings(**parameters["annotate"]), dataset, card, raw
    )
    settings = SplitSettings(**parameters["split"])
    splits = split_dataset(
        settings, dataset, 1, card, raw, tmp_path / "stores", train, validation, test, names
    )
    stores = [ImageStore(split.folder) for split in splits]
    assert [len(store) for store in stores] == [36, 4, 12]
    assert [store.meta.drawn_from for store in stores] == ["train", "train", "test"]
    assert state(shapes) == before


def write_yolo_sets(folder: Path, counts: dict[str, int]) -> list[str]:
    """Write shapes as a YOLO dataset with sets, and return the class names of `data.yaml`."""
    names = sorted(SHAPES)
    for seed, (name, count) in enumerate(counts.items()):
        draw_shapes(folder / name, count, seed)
        rows = pd.read_csv(folder / name / "annotations.csv")
        (folder / name / "labels").mkdir()
        for row in rows.itertuples():
            with Image.open(folder / name / "images" / row.image) as image:
                width, height = image.size
            x, y = (row.left + row.width / 2) / width, (row.top + row.height / 2) / height
            box = f"{x:.6f} {y:.6f} {row.width / width:.6f} {row.height / height:.6f}"
            path = folder / name / "labels" / row.image
            path.with_suffix(".txt").write_text(f"{names.index(str(row.shape))} {box}\n", "utf-8")
        (folder / name / "annotations.csv").unlink()
    (folder / "data.yaml").write_text(f"train: train/images\nnames: {names}\n", "utf-8")
    return names


@pytest.mark.slow
def test_given_sets_and_class_names_of_the_annotations_reach_all_stages(tmp_path):
    project = Project.make(tmp_path / "project", env="mine")
    folder = project.path / "data" / "yolo"
    names = write_yolo_sets(folder, {"train": 60, "valid": 24, "test": 16})
    command = [str(KEDRO), "init-dataset", str(folder), "--name=mine"]
    subprocess.run(command, cwd=project.path, env=clean_environment(project.path), check=True)
    path = project.path / "conf" / "mine" / "parameters.yml"
    text = path.read_text("utf-8")
    assert "source: given" in text
    assert f"class_names: {json.dumps(names)}" in text
    path.write_text(text.replace(json.dumps(names), "auto"), "utf-8")
    fast = "train.architecture=report2020,train.epochs=1,wandb.mode=offline"
    said = project.run(f"--pipelines={STAGES}", "--params", fast)
    assert "Split: 60 training, 24 validation, 16 test images." in said
    assert project.json("02_intermediate/class_names.json") == names
    assert (
        project.json("07_model_output/predictions_coco.json")["categories"][0]["name"] == names[0]
    )
    assert [row["name"] for row in project.metrics()["per_class"]] == names
    # Later stages take the saved names, and refuse others.
    path.write_text(text.replace(json.dumps(names), json.dumps(names[::-1])), "utf-8")
    refused = project.run("--pipelines=evaluate", fails=True)
    assert "run `kedro run`, which starts with the stage annotate" in refused
    assert "Traceback" not in refused


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("fetch.folder.path=", "fetch.folder.path is empty"),
        ("fetch.folder.path=nowhere", "nowhere.* does not exist"),
        ("fetch.folder.train_annotations=rows.csv", "rows.csv: does not exist"),
        ("fetch.folder.train_images=annotations.csv", "annotations.csv.*damaged"),
        ("fetch.folder.test_images=images", "test_annotations is empty"),
        ("fetch.folder.validation_images=images", "validation_annotations is empty"),
    ],
)
def test_what_is_wrong_with_the_folder_is_one_error_that_names_it(tmp_path, params, message):
    draw_shapes(tmp_path / "data" / "shapes", 4)
    settings = FetchSettings(**example_parameters()["fetch"])
    key, _, value = params.removeprefix("fetch.folder.").partition("=")
    folder = settings.folder.model_copy(update={key: value})
    changed = FetchSettings.model_validate(settings.model_copy(update={"folder": folder}))
    with pytest.raises(LocalizationError, match=message):
        fetch(changed, tmp_path / "raw", tmp_path)


def example_parameters():
    loader = OmegaConfigLoader(
        str(ROOT / "conf"), base_env="base", env="own_images", merge_strategy={"parameters": "soft"}
    )
    return loader["parameters"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_default_model_learns_shapes_on_clutter_by_configuration_alone(tmp_path):
    project = Project.make(tmp_path / "project", env="own_images")
    draw_shapes(project.path / "data" / "shapes", 3000)
    said = project.run("--params", "wandb.mode=offline", timeout_s=1100)
    metrics = project.metrics()
    seconds = float(re.search(r"Seconds: .*train ([\d.]+)", said)[1])
    figures = {name: metrics[name] for name in ("mean_iou", "label_accuracy", "images")}
    print(f"\n{figures}, {seconds:.0f} seconds of training")  # shown by pytest -s and on failure
    assert metrics["images"] == 300
    assert metrics["mean_iou"] >= 0.85
    assert metrics["label_accuracy"] >= 0.98
    assert seconds < 180
    assert (project.data / "08_reporting" / "report.html").exists()
