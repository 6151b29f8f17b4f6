"""Command `init-dataset`: from a folder to an environment that reads it."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from kedro.config import OmegaConfigLoader
from PIL import Image

from mnist_localization import cli
from mnist_localization.config.data import AnnotateSettings, DatasetSettings
from mnist_localization.data.annotations.formats import load_format
from mnist_localization.data.annotations.reading import read_annotations
from mnist_localization.data.inspection import to_yaml_text
from mnist_localization.evaluation.predictions import prediction_table
from mnist_localization.registry import module_names
from support.project import ROOT
from support.settings import image_settings

NAMES = ("ant, red", "${bee}", "\U0001f408 'cat'")
FILES = [f"{number}.png" for number in range(9)]
BOX = (0.1, 0.2, 0.55, 0.9)


@pytest.fixture
def project(tmp_path):
    base = tmp_path / "conf" / "base"
    base.mkdir(parents=True)
    (base / "parameters.yml").write_text((ROOT / "conf/base/parameters.yml").read_text("utf-8"))
    return tmp_path


@pytest.fixture
def dataset(tmp_path):
    """Write a folder with images of several sizes."""
    for number, file in enumerate(FILES):
        path = tmp_path / "data set" / "images" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100 + number, 50)).save(path)
    return tmp_path / "data set"


def init(project, dataset, *options, name="mine"):
    arguments = ["init-dataset", str(dataset), f"--name={name}", *options]
    return CliRunner().invoke(cli.cli, arguments, obj=SimpleNamespace(project_path=project))


def write(dataset, name):
    """Write one box for each image in a format."""
    boxes = np.array([BOX] * len(FILES))
    table = pd.DataFrame(boxes, columns=["xmin", "ymin", "xmax", "ymax"]).assign(
        file=FILES, label=0
    )
    labels = [number % len(NAMES) for number in range(len(FILES))]
    predictions = prediction_table(table, labels, [1.0] * len(FILES), boxes, boxes)
    predictions[["height", "width"]] = [(50, 100 + number) for number in range(len(FILES))]
    written = load_format(name).write(predictions, NAMES, image_settings(height=50, width=100))
    texts = {file: text for file, text in written.items() if isinstance(text, str)}
    folder = dataset / "annotations"
    for file, text in (texts or {"document.json": json.dumps(written)}).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, "utf-8")
    return labels


def read_back(project, name="mine"):
    """Return the annotations that the environment reads."""
    loader = OmegaConfigLoader(
        str(project / "conf"),
        env=name,
        base_env="base",
        default_run_env="local",
        merge_strategy={"parameters": "soft"},
    )
    parameters = loader["parameters"]
    folder = parameters["fetch"]["folder"]
    settings = DatasetSettings.model_validate(parameters["dataset"])
    root = project / folder["path"]
    return settings, read_annotations(
        root / folder["train_annotations"], root / folder["train_images"], root, settings
    )


@pytest.mark.parametrize("name", module_names("data/annotations/formats"))
def test_the_environment_reads_a_folder_of_each_format(project, dataset, name):
    labels = write(dataset, name)
    if name == "yolo":
        (dataset / "classes.txt").write_text("\n".join(NAMES), "utf-8")
    result = init(project, dataset)
    assert result.exit_code == 0, result.output
    assert "kedro run --env=mine" in result.output
    settings, annotations = read_back(project)
    assert annotations.bad_rows == ()
    found = [settings.class_names[label] for label in annotations.table["label"]]
    # One format has numbers only.
    expected = labels if name == "gtsrb" else [NAMES[label] for label in labels]
    assert found == [str(each) for each in expected]
    boxes = annotations.table[["xmin", "ymin", "xmax", "ymax"]].to_numpy()
    np.testing.assert_allclose(boxes, [BOX] * len(FILES), atol=0.01 if name == "gtsrb" else 1e-5)
    assert (settings.image.channels, settings.image.letterbox) == (3, True)


def test_a_folder_in_the_project_is_named_relative_to_it(project, dataset, tmp_path_factory):
    write(dataset, "coco")
    init(project, dataset)
    inside = yaml.safe_load((project / "conf/mine/parameters.yml").read_text("utf-8"))
    assert inside["fetch"]["folder"]["path"] == "data set"
    other = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(dataset, other)
    init(project, other, name="other")
    outside = yaml.safe_load((project / "conf/other/parameters.yml").read_text("utf-8"))
    assert outside["fetch"]["folder"]["path"] == other.resolve().as_posix()


def test_faults_are_counted_and_lead_to_settings(project, dataset):
    rows = [f"{file},10,5,50,30,ant" for file in FILES]
    rows += ["0.png,0,0,20,20,ant", "1.png,30,5,30,30,ant"]
    (dataset / "boxes.csv").write_text("\n".join(rows))
    result = init(project, dataset)
    assert "1 images of several objects, 1 bad rows" in result.output
    text = (project / "conf/mine/parameters.yml").read_text("utf-8")
    annotate = yaml.safe_load(text)["annotate"]
    base = {"listed_bad_rows": 1}
    assert AnnotateSettings.model_validate(annotate | base).on_several == "drop_image"
    assert annotate["on_bad_rows"] == "drop"


@pytest.mark.parametrize(
    ("name", "message"),
    [("base", "exists already"), ("local", "exists already"), ("../x", "is not a name")],
)
def test_a_reserved_or_unsafe_name_is_refused(project, dataset, name, message):
    write(dataset, "coco")
    result = init(project, dataset, name=name)
    assert result.exit_code == 1
    assert message in result.output


def test_an_existing_environment_is_kept(project, dataset):
    write(dataset, "coco")
    init(project, dataset)
    before = (project / "conf/mine/parameters.yml").read_bytes()
    assert "exists already" in init(project, dataset).output
    assert (project / "conf/mine/parameters.yml").read_bytes() == before


def coco_text(files: list[str], label: str) -> str:
    return json.dumps(
        {
            "images": [{"id": number, "file_name": file} for number, file in enumerate(files)],
            "categories": [{"id": 1, "name": label}],
            "annotations": [
                {"image_id": number, "category_id": 1, "bbox": [10, 10, 20, 20]}
                for number in range(len(files))
            ],
        }
    )


@pytest.mark.parametrize("is_nested", [True, False])
def test_folders_that_are_named_as_sets_are_sets(project, dataset, is_nested):
    for number, (name, label) in enumerate({"Train2017": "bee", "val": "ant"}.items()):
        images = dataset / (f"{name}/images" if is_nested else f"images/{name}")
        images.mkdir(parents=True)
        for file in FILES[number::2]:
            (dataset / "images" / file).rename(images / file)
        found = f"{name}/_annotations.coco.json" if is_nested else f"labels/instances_{name}.json"
        (dataset / found).parent.mkdir(exist_ok=True)
        (dataset / found).write_text(coco_text(FILES[number::2], label), "utf-8")
    result = init(project, dataset)
    assert result.exit_code == 0, result.output
    assert "Images:      9 with one object" in result.output
    parameters = yaml.safe_load((project / "conf/mine/parameters.yml").read_text("utf-8"))
    assert parameters["dataset"]["class_names"] == ["ant", "bee"]
    assert parameters["split"]["validation"]["source"] == "given"
    folder = parameters["fetch"]["folder"]
    for setting in ("train_images", "train_annotations"):
        assert "Train2017" in folder[setting]
    for setting in ("validation_images", "validation_annotations"):
        assert "val" in folder[setting]
    assert folder["test_annotations"] == ""


def test_a_set_without_objects_is_not_used(project, dataset, caplog):
    for number, file in enumerate(FILES):
        name = ("train", "valid")[number % 2]
        (dataset / name).mkdir(exist_ok=True)
        (dataset / "images" / file).rename(dataset / name / file)
    for number, name in enumerate(("train", "valid")):
        document = json.loads(coco_text(FILES[number::2], "ant"))
        if name == "valid":
            document["annotations"] = []
        (dataset / name / "coco.json").write_text(json.dumps(document), "utf-8")
    result = init(project, dataset)
    assert result.exit_code == 0, result.output
    assert "The annotations of the validation images have no boxes" in caplog.text
    parameters = yaml.safe_load((project / "conf/mine/parameters.yml").read_text("utf-8"))
    assert parameters["split"]["validation"]["source"] == "train"
    assert parameters["fetch"]["folder"]["train_annotations"] == "train/coco.json"
    assert parameters["dataset"]["class_names"] == ["ant"]


def test_lists_of_images_next_to_the_folders_of_yolo_are_no_annotations(project, dataset):
    for number, file in enumerate(FILES):
        name = ("train2017", "val2017")[number % 2]
        for kind in ("images", "labels"):
            (dataset / kind / name).mkdir(parents=True, exist_ok=True)
        (dataset / "images" / file).rename(dataset / "images" / name / file)
        label = (dataset / "labels" / name / file).with_suffix(".txt")
        label.write_text("0 0.5 0.5 0.2 0.2\n")
        with (dataset / f"{name}.txt").open("a") as listing:
            listing.write(f"./images/{name}/{file}\n")
    assert "Images:      9 with one object" in init(project, dataset).output
    parameters = yaml.safe_load((project / "conf/mine/parameters.yml").read_text("utf-8"))
    folder = parameters["fetch"]["folder"]
    assert folder["train_annotations"] == "labels/train2017"
    assert folder["validation_annotations"] == "labels/val2017"


def test_an_unknown_column_of_labels_is_mentioned(project, dataset, caplog):
    rows = ["filename,species,xmin,ymin,xmax,ymax", *(f"{file},ant,10,5,50,30" for file in FILES)]
    (dataset / "boxes.csv").write_text("\n".join(rows))
    assert init(project, dataset).exit_code == 0
    assert "no column of the labels is known (species)" in caplog.text


def test_sets_that_share_their_annotations_are_mentioned(project, dataset, caplog):
    rows = []
    for number, file in enumerate(FILES):
        name = ("train", "test")[number % 2]
        (dataset / "images" / name).mkdir(exist_ok=True)
        (dataset / "images" / file).rename(dataset / "images" / name / file)
        rows.append(f"{name}/{file},ant,10,10,30,30")
    (dataset / "boxes.csv").write_text("\n".join(rows))
    assert init(project, dataset).exit_code == 0
    assert "The folders of the sets test, train are not used as sets" in caplog.text


def test_a_test_set_without_annotations_is_not_used(project, dataset, caplog):
    for number, file in enumerate(FILES):
        name = "test" if number % 3 == 0 else "train"
        (dataset / name).mkdir(exist_ok=True)
        (dataset / "images" / file).rename(dataset / name / file)
    rows = ["image_id,bbox"]
    rows += [f'{file},"[10, 5, 40, 25]"' for file in FILES[1::3] + FILES[2::3]]
    (dataset / "train.csv").write_text("\n".join(rows))
    (dataset / "sample_submission.csv").write_text("image_id,PredictionString\n0.png,1 0 0 9 9\n")
    result = init(project, dataset)
    assert result.exit_code == 0, result.output
    assert "Images:      6 with one object, in train" in result.output
    assert "The test images have no annotations and are not used." in caplog.text
    parameters = yaml.safe_load((project / "conf/mine/parameters.yml").read_text("utf-8"))
    folder = parameters["fetch"]["folder"]
    assert (folder["train_annotations"], folder["test_annotations"]) == ("train.csv", "")


def test_a_class_that_is_named_as_a_set_is_no_set(project, dataset):
    rows = []
    for number, file in enumerate(FILES):
        name = ("train", "bus")[number % 2]
        (dataset / "images" / name).mkdir(exist_ok=True)
        (dataset / "images" / file).rename(dataset / "images" / name / file)
        rows.append(f"{name}/{file},{name},10,10,30,30")
    (dataset / "boxes.csv").write_text("\n".join(rows))
    assert init(project, dataset).exit_code == 0
    parameters = yaml.safe_load((project / "conf/mine/parameters.yml").read_text("utf-8"))
    assert parameters["fetch"]["folder"]["train_annotations"] == "boxes.csv"
    assert parameters["split"]["validation"]["source"] == "train"


def test_objects_without_labels_are_of_one_class(project, dataset):
    rows = ["file,xmin,ymin,xmax,ymax", *(f"{file},10,5,50,30" for file in FILES)]
    (dataset / "boxes.csv").write_text("\n".join(rows))
    assert init(project, dataset).exit_code == 0
    settings, annotations = read_back(project)
    assert settings.class_names == ("object",)
    assert len(annotations.table) == len(FILES)


def test_several_annotations_must_be_chosen(project, dataset):
    write(dataset, "coco")
    write(dataset, "createml")
    result = init(project, dataset)
    assert "found annotations/annotations.json, annotations/document.json" in result.output
    assert not (project / "conf/mine").exists()
    chosen = init(project, dataset, "--annotations=annotations/document.json")
    assert "Annotations: coco" in chosen.output


@pytest.mark.parametrize("kind", ["missing", "empty", "no annotations", "no boxes"])
def test_a_folder_without_a_dataset_is_one_message(project, dataset, kind):
    folder = dataset
    if kind == "missing":
        folder = dataset / "none"
    elif kind == "empty":
        folder = dataset / "empty"
        folder.mkdir()
    elif kind == "no boxes":
        (dataset / "boxes.csv").write_text("file,label,xmin,ymin,xmax,ymax\n")
    result = init(project, folder)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert not (project / "conf/mine").exists()


@pytest.mark.parametrize("text", ["${a}", "a: b", "'", '"', "#", "\U0001f408", "null", "1e3"])
def test_a_name_is_literal_text_in_yaml(text):
    loaded = yaml.safe_load(to_yaml_text([text]))
    assert [each.replace("\\${", "${") for each in loaded] == [text]
