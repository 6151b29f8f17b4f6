"""Tests of `kedro run --pipelines=predict` with paths written as the parameter file documents."""

import click
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_localization.cli import cli
from mnist_localization.inference import describe_images
from mnist_localization.models.provenance import Provenance
from support.project import Project
from support.small_models import trained_localizer
from support.small_stores import make_store


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a project with a small trained localizer and a folder of images and a text file."""
    folder = tmp_path_factory.mktemp("predict")
    project = Project.make(folder / "project")
    store = make_store(folder, 64, 0)
    images = describe_images(store.read(range(64)))
    provenance = Provenance(class_names=("small", "large"), images=images)
    localizer = trained_localizer(store, provenance, epochs=2)
    (project.data / "06_models").mkdir(parents=True)
    localizer.save(project.data / "06_models" / "localizer.keras")
    photos = project.path / "photos"
    photos.mkdir()
    for name, pixels in zip(("a.png", "b: 1 #2.png", "{c}.png"), store.read(range(3)), strict=True):
        Image.fromarray(pixels[:, :, 0]).resize((80, 60)).save(photos / name)
    Image.fromarray(np.full((50, 50), 255, np.uint8)).save(photos / "white.png")
    (photos / "notes.txt").write_text("not an image")
    return project


def test_a_folder_is_predicted_and_files_that_are_not_images_are_listed(project):
    output = project.run(
        "--pipelines=predict", "--params", "predict.images=photos,predict.output=out"
    )
    assert "Predicted 4 images, 1 files left out" in output
    assert "notes.txt: not an image" in output
    assert "1 of 4 images look unlike the training images" in output
    assert "predict.invert=auto" in output
    assert "Traceback" not in output
    out = project.path / "out"
    table = pd.read_csv(out / "predictions.csv")
    assert table["label"].isin(["small", "large"]).all()
    names = [name.rpartition("/")[2] for name in table["file"]]
    assert dict(zip(names, table["width"], strict=True)) == {
        "a.png": 80,
        "b: 1 #2.png": 80,
        "white.png": 50,
        "{c}.png": 80,
    }
    assert len(pd.read_csv(out / "failures.csv")) == 1
    assert len(list((out / "overlays").iterdir())) == 4


def parse(text):
    """Return the value of `predict.images` that `kedro run --params <text>` parses."""
    command = cli.commands["run"]
    (option,) = (option for option in command.params if option.name == "params")
    assert option.callback is not None
    return option.callback(click.Context(command), option, text)["predict"]["images"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("predict.images=photos", "photos"),
        ("predict.images=./photos/*.png", "./photos/*.png"),
        ("predict.images=./{c}.png", "./{c}.png"),
        ("predict.images=./[ab].png", "./[ab].png"),
        ('predict.images="*.png"', "*.png"),
        ('predict.images="./b: 1 #2.png"', "./b: 1 #2.png"),
        ("predict.images=./a? b.png", "./a? b.png"),
    ],
)
def test_a_path_written_as_documented_is_parsed_unchanged(text, path):
    assert parse(text) == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("predict.images=*.png", "not valid YAML.*quote the value twice"),
        ("predict.images={c}.png", "not valid YAML.*quote the value twice"),
        ("predict.images=photos/a, b.png", r"A comma separates parameters.*by \?"),
    ],
)
def test_a_path_that_cannot_be_parsed_is_an_error_with_the_correction(text, message):
    with pytest.raises(click.UsageError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("predict.images=photos/b: 1 #2.png", "quote it twice"),
        (
            "predict.images=./photos/*.bmp",
            "is not a file, a folder with files or a pattern that matches",
        ),
    ],
)
def test_a_path_that_matches_nothing_is_an_error_with_the_correction(project, text, message):
    output = project.run("--pipelines=predict", "--params", text, fails=True)
    assert message in " ".join(output.split())
    assert "Traceback" not in output
