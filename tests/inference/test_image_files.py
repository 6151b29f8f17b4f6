import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_localization.data.annotations.reading import read_annotations
from mnist_localization.errors import ImageError, LocalizationError
from mnist_localization.inference.image_files import (
    draw_overlay,
    find_images,
    predict_images,
    write_predictions,
)
from mnist_localization.inference.localizer import Box, Localizer
from mnist_localization.models.provenance import model_fingerprint
from mnist_localization.models.saving import load_localizer, run_of
from mnist_localization.registry import module_names
from support.privileges import open_folder, without_root
from support.settings import section

WRITTEN = ["failures.csv", "overlays", "predictions.csv", "predictions.json"]


SPLIT = section("split", max_image_mb=8.0)


def predict_settings(images="photos", output="out", batch_size=8):
    paths = {"images": str(images), "output": str(output)}
    return section("predict", **paths, batch_size=batch_size, invert=False, overlays=2)


@pytest.fixture
def photos(tmp_path, square):
    """Return a folder with three images of different sizes and other files."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name, (height, width) in {
        "a.png": (40, 40),
        "b.png": (80, 160),
        "more/c.png": (60, 40),
    }.items():
        Image.fromarray(square(height, width, 12, 8, 16)).save(folder / name)
    (folder / "notes.txt").write_text("not an image")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / ".hidden").write_text("hidden")
    return folder


def names(files, folder):
    return [path.relative_to(folder).as_posix() for path in files]


def find(images, project, output="out"):
    return find_images(predict_settings(images, output), project)


def test_finds_a_folder_a_file_and_a_pattern(photos, tmp_path):
    output = photos / "found"
    output.mkdir()
    (output / "earlier.png").touch()
    everything = ["a.png", "b.png", "broken.png", "more/c.png", "notes.txt"]
    assert names(find("photos", tmp_path, output), photos) == everything
    assert names(find(photos, tmp_path, output), photos) == everything
    assert names(find("./photos/*.png", tmp_path, output), photos) == everything[:3]
    assert names(find("photos/**/*.png", tmp_path, output), photos) == everything[:4]
    assert names(find("photos/a.png", tmp_path, output), photos) == ["a.png"]


def test_the_path_of_the_project_is_not_part_of_a_pattern(photos, tmp_path):
    project = tmp_path / "[1] *? {x}"
    project.mkdir()
    photos = photos.rename(project / "photos")
    expected = ["a.png", "b.png", "broken.png"]
    assert names(find("photos/*.png", project), photos) == expected
    assert names(find("./photos/[ab].png", project), photos) == expected[:2]
    sibling = project / "sibling"
    sibling.mkdir()
    found = find("../photos/**/c.png", sibling)
    assert [path.resolve() for path in found] == [photos / "more" / "c.png"]
    absolute = find(tmp_path / "[[]1[]] *" / "photos" / "?.png", sibling)
    assert names(absolute, photos) == expected[:2]


@pytest.mark.parametrize("images", ["photos", "photos/**", "photos/../photos", "link"])
@pytest.mark.parametrize("output", ["photos/more", "photos/../photos/more", "link/more"])
def test_files_in_the_output_folder_are_left_out(photos, tmp_path, images, output):
    (tmp_path / "link").symlink_to(photos, target_is_directory=True)
    found = find(images, tmp_path, output)
    assert [path.name for path in found] == ["a.png", "b.png", "broken.png", "notes.txt"]


@pytest.mark.parametrize("name", ["a[1].png", "*.png", "{x}, y: z.png"])
def test_an_existing_name_is_not_a_pattern(photos, tmp_path, name):
    (photos / "a.png").rename(photos / name)
    assert names(find(f"photos/{name}", tmp_path), photos) == [name]


@pytest.mark.parametrize(
    ("images", "message"),
    [("", "predict.images is empty.*kedro run"), ("photos/*.tiff", r"\*\.tiff is not a file")],
)
def test_an_error_with_an_example_is_raised_if_nothing_is_found(photos, tmp_path, images, message):
    with pytest.raises(ImageError, match=message):
        find(images, tmp_path)


@pytest.fixture(scope="module")
def model(saved):
    return load_localizer(saved)


def predict(model, files, batch_size=8):
    return predict_images(predict_settings(batch_size=batch_size), SPLIT, model, files)


def test_unreadable_files_are_listed_and_the_others_predicted(model, localizer, photos, tmp_path):
    results, failures = predict(model, find("photos", tmp_path), batch_size=2)
    assert names(map(type(photos), results["file"]), photos) == ["a.png", "b.png", "more/c.png"]
    assert list(results["width"]) == [40, 160, 40]
    assert (results["xmax"] <= results["width"]).all()
    assert (results["ymax"] <= results["height"]).all()
    assert names(map(type(photos), failures["file"]), photos) == ["broken.png", "notes.txt"]
    assert failures["reason"].str.contains("damaged|not an image").all()
    assert not failures["reason"].str.contains(str(photos), regex=False).any()
    one_by_one = localizer.predict(results["file"].tolist(), batch_size=1)
    np.testing.assert_allclose(
        results[["xmin", "ymin", "xmax", "ymax"]], [each.box for each in one_by_one], atol=1e-3
    )


def test_failures_and_unusual_images_are_logged(model, photos, tmp_path, caplog):
    Image.new("L", (40, 40), 255).save(photos / "white.png")
    predict(model, find("photos", tmp_path))
    assert f"Left out: {photos / 'broken.png'}: " in caplog.text
    assert "1 of 4 images look unlike the training images" in caplog.text
    assert "predict.invert=auto" in caplog.text


def test_the_reasons_are_listed_if_no_file_can_be_read(model, photos):
    with pytest.raises(ImageError, match=r"none of the 1 files.*(\n.*)*notes\.txt: not an image"):
        predict(model, [photos / "notes.txt"])


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_file_name_that_is_not_utf8_is_a_failure_that_can_be_written(model, photos, tmp_path):
    name = os.fsdecode(b"\xff.png")
    (photos / "b.png").rename(photos / name)
    predicted = predict(model, find("photos/*.png", tmp_path))
    assert predicted[0]["file"].tolist() == [str(photos / "a.png")]
    reasons = predicted[1].set_index("file")["reason"]
    assert "not valid UTF-8" in reasons[str(photos / r"\udcff.png")]
    write(model, predicted, tmp_path)
    assert len(pd.read_csv(tmp_path / "out" / "failures.csv")) == 2
    with pytest.raises(
        ImageError, match=r"none of the 1 files.*(\n.*)*udcff\.png: .*not valid UTF-8"
    ):
        predict(model, [photos / name])


@pytest.fixture
def predicted(model, photos, tmp_path):
    return predict(model, find("photos", tmp_path))


def write(model, predicted, project, output="out"):
    write_predictions(predict_settings(output=output), SPLIT, project, model, *predicted)


def test_tables_json_and_overlays_are_written(model, predicted, tmp_path):
    write(model, predicted, tmp_path, "new/out")
    out = tmp_path / "new" / "out"
    assert sorted(path.name for path in out.iterdir()) == WRITTEN
    assert sorted(path.name for path in (out / "overlays").iterdir()) == [
        "00001_a.png",
        "00002_b.png",
    ]
    table = pd.read_csv(out / "predictions.csv", dtype={"label": str})
    assert table["file"].tolist() == ["a.png", "b.png", "more/c.png"]
    pd.testing.assert_frame_equal(
        table.drop(columns="file"), predicted[0].drop(columns="file"), atol=1e-3
    )
    text = (out / "predictions.csv").read_text()
    assert max(len(number) for number in re.findall(r"\d\.(\d+)", text)) <= 6
    assert len(pd.read_csv(out / "failures.csv")) == 2
    document = json.loads((out / "predictions.json").read_text("utf-8"))
    assert document["model"] == {
        "run": run_of(model),
        "architecture": model.name,
        "fingerprint": model_fingerprint(model),
    }
    assert document["images"][1]["box"]["xmax"] == round(predicted[0]["xmax"][1], 3)
    assert document["images"][2]["file"] == "more/c.png"


def test_files_are_absolute_only_if_given_so(model, photos, tmp_path):
    for images, first in {
        str(photos): str(photos / "a.png"),
        "photos/*.png": "photos/a.png",
        "photos/a.png": "photos/a.png",
        "./photos/": "a.png",
    }.items():
        predicted = predict(model, find(images, tmp_path))
        settings = predict_settings(images, f"out/{len(images)}")
        write_predictions(settings, SPLIT, tmp_path, model, *predicted)
        table = pd.read_csv(tmp_path / settings.output / "predictions.csv")
        assert table["file"][0] == first


@pytest.mark.parametrize("stem", ["x" * 240, "é" * 110])
def test_long_names_are_predicted_and_drawn(model, photos, tmp_path, stem):
    shutil.copy(photos / "a.png", photos / f"{stem}.png")
    predicted = predict(model, find(f"photos/{stem[:9]}*.png", tmp_path))
    write(model, predicted, tmp_path)
    (overlay,) = (tmp_path / "out" / "overlays").iterdir()
    assert overlay.name.startswith(f"00001_{stem[:80]}")


@pytest.mark.parametrize("images", ["photos", "photos/**/*.png", "photos/*/*.png"])
def test_an_unreadable_folder_is_an_error(photos, images):
    with open_folder() as folder:
        shutil.copytree(photos, folder / "photos")
        (folder / "photos" / "more").chmod(0)
        message = "more: permission denied; make"
        with without_root(), pytest.raises(LocalizationError, match=message):
            find(images, folder)
        assert names(find("photos/*.png", folder), folder / "photos")[:1] == ["a.png"]


def test_an_unreadable_image_is_left_out_with_the_reason(model, photos):
    with open_folder() as folder:
        shutil.copytree(photos, folder / "photos")
        (folder / "photos" / "a.png").chmod(0)
        with without_root():
            results, failures = predict(model, find("photos/*.png", folder))
    assert [Path(file).name for file in results["file"]] == ["b.png"]
    reasons = {Path(file).name: reason for file, reason in failures.itertuples(index=False)}
    assert reasons["a.png"] == "permission denied; make the file readable"


def test_a_second_run_replaces_its_own_files_and_keeps_all_others(model, predicted, tmp_path):
    write(model, predicted, tmp_path)
    (tmp_path / "out" / "mine.txt").write_text("kept")
    (tmp_path / "out" / "overlays" / "mine.png").write_text("kept")
    write(model, (predicted[0].head(1), predicted[1].head(0)), tmp_path)
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == 1
    assert len(pd.read_csv(tmp_path / "out" / "failures.csv")) == 0
    assert (tmp_path / "out" / "mine.txt").read_text() == "kept"
    assert (tmp_path / "out" / "overlays" / "mine.png").read_text() == "kept"


def test_files_from_another_source_are_never_replaced(model, predicted, tmp_path):
    (tmp_path / "predictions.csv").write_text("a year of work")
    with pytest.raises(LocalizationError, match=r"contains predictions\.csv.*another folder"):
        write(model, predicted, tmp_path, ".")
    assert (tmp_path / "predictions.csv").read_text() == "a year of work"
    assert not (tmp_path / "predictions.json").exists()


def test_an_output_folder_that_is_a_file_is_an_error(model, predicted, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(LocalizationError, match="is a file; name a folder"):
        write(model, predicted, tmp_path)


def test_an_overlay_shows_the_box_at_the_pixel(tmp_path, square):
    Image.fromarray(square(40, 40, 12, 8, 16)).save(tmp_path / "a.png")
    drawn = np.asarray(draw_overlay(tmp_path / "a.png", Box(12, 8, 28, 24), "ä 大  50 %", 1.0))
    assert drawn.shape == (320, 320, 3)
    red = (drawn == (255, 65, 54)).all(axis=2)
    columns = np.nonzero(red[64 + 8 : 192 - 8, :])[1]
    assert columns.min() == 12 * 8
    assert columns.max() == 28 * 8 - 1
    assert red[8 * 8, 100:200].all()
    assert red[24 * 8 - 1, 100:200].all()


@pytest.mark.parametrize("name", module_names("data/annotations/formats"))
def test_predictions_can_be_corrected_elsewhere_and_read_back(model, photos, tmp_path, name):
    predicted = predict(model, find("photos", tmp_path))
    settings = predict_settings().model_copy(update={"formats": (name,)})
    for _ in range(2):
        write_predictions(settings, SPLIT, tmp_path, model, *predicted)
    folder = tmp_path / "out" / name
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = Localizer.from_model(model).class_names
    dataset = section("dataset", class_names=names, annotations={"format": "auto"})
    path = files[0] if len(files) == 1 else folder
    table = read_annotations(path, photos, photos, dataset).table.set_index("file")
    table = table.loc[["a.png", "b.png", "more/c.png"]]
    assert table["label"].tolist() == predicted[0]["class_id"].tolist()
    sizes = predicted[0][["width", "height", "width", "height"]].to_numpy()
    boxes = table[["xmin", "ymin", "xmax", "ymax"]].to_numpy() * sizes
    expected = predicted[0][["xmin", "ymin", "xmax", "ymax"]].to_numpy()
    np.testing.assert_allclose(boxes, expected, atol=1 if name == "gtsrb" else 1e-3)
