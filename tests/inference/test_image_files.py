import json
import os
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_localization.errors import ImageError, LocalizationError
from mnist_localization.inference.image_files import find_images, predict_files
from mnist_localization.inference.results import overlay, write_results

WRITTEN = ["failures.csv", "overlays", "predictions.csv", "predictions.json"]


@pytest.fixture
def photos(tmp_path, square):
    """A folder with three images of different sizes, and files that are none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name, (height, width) in {
        "a.png": (40, 40),
        "b.png": (80, 160),
        "more/c.png": (60, 40),
    }.items():
        Image.fromarray(square(height, width, 12, 8, 16)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / ".hidden").write_text("not asked for")
    return folder


def names(files, folder):
    return [path.relative_to(folder).as_posix() for path in files]


def test_a_folder_a_file_and_a_pattern_are_found(photos, tmp_path):
    output = photos / "found"
    output.mkdir()
    (output / "earlier.png").touch()
    everything = ["a.png", "b.png", "broken.png", "more/c.png", "notes.txt"]
    assert names(find_images("photos", tmp_path, output), photos) == everything
    assert names(find_images(str(photos), tmp_path, output), photos) == everything
    assert names(find_images("./photos/*.png", tmp_path, output), photos) == everything[:3]
    assert names(find_images("photos/**/*.png", tmp_path, output), photos) == everything[:4]
    assert names(find_images("photos/a.png", tmp_path, output), photos) == ["a.png"]


def test_the_path_of_the_project_is_no_part_of_a_pattern(photos, tmp_path):
    project = tmp_path / "[1] *? {x}"
    project.mkdir()
    photos = photos.rename(project / "photos")
    output = project / "out"
    expected = ["a.png", "b.png", "broken.png"]
    assert names(find_images("photos/*.png", project, output), photos) == expected
    assert names(find_images("./photos/[ab].png", project, output), photos) == expected[:2]
    beside = project / "beside"
    beside.mkdir()
    found = find_images("../photos/**/c.png", beside, output)
    assert [path.resolve() for path in found] == [photos / "more" / "c.png"]
    absolute = find_images(str(tmp_path / "[[]1[]] *" / "photos" / "?.png"), beside, output)
    assert names(absolute, photos) == expected[:2]


@pytest.mark.parametrize("images", ["photos", "photos/**", "photos/../photos", "link"])
@pytest.mark.parametrize("output", ["photos/more", "photos/../photos/more", "link/more"])
def test_the_output_is_left_out_however_it_is_named(photos, tmp_path, images, output):
    (tmp_path / "link").symlink_to(photos, target_is_directory=True)
    found = find_images(images, tmp_path, tmp_path / output)
    assert [path.name for path in found] == ["a.png", "b.png", "broken.png", "notes.txt"]


@pytest.mark.parametrize("name", ["a[1].png", "*.png", "{x}, y: z.png"])
def test_a_name_that_exists_is_no_pattern(photos, tmp_path, name):
    (photos / "a.png").rename(photos / name)
    assert names(find_images(f"photos/{name}", tmp_path, tmp_path / "out"), photos) == [name]


@pytest.mark.parametrize(
    ("images", "message"),
    [("", "predict.images is empty.*kedro run"), ("photos/*.tiff", r"\*\.tiff is no file")],
)
def test_nothing_to_predict_is_an_error_with_an_example(photos, tmp_path, images, message):
    with pytest.raises(ImageError, match=message):
        find_images(images, tmp_path, tmp_path / "out")


def test_files_that_are_no_image_are_listed_and_the_others_predicted(localizer, photos, tmp_path):
    files = find_images("photos", tmp_path, tmp_path / "out")
    results, failures = predict_files(localizer, files, 2, invert=False)
    assert names(map(type(photos), results["file"]), photos) == ["a.png", "b.png", "more/c.png"]
    assert list(results["width"]) == [40, 160, 40]
    assert (results["xmax"] <= results["width"]).all()
    assert (results["ymax"] <= results["height"]).all()
    assert names(map(type(photos), failures["file"]), photos) == ["broken.png", "notes.txt"]
    assert failures["reason"].str.contains("damaged|no image").all()
    one_by_one = localizer.predict(results["file"].tolist(), batch_size=1)
    np.testing.assert_allclose(
        results[["xmin", "ymin", "xmax", "ymax"]], [each.box for each in one_by_one], atol=1e-3
    )


def test_when_no_file_can_be_read_the_reasons_are_told(localizer, photos):
    with pytest.raises(
        ImageError, match=r"none of the 1 files.*(\n.*)*notes\.txt: this is no image"
    ):
        predict_files(localizer, [photos / "notes.txt"], 8, invert=False)


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_name_that_is_no_utf8_is_a_failure_that_can_be_written(localizer, photos, tmp_path):
    name = os.fsdecode(b"\xff.png")
    (photos / "b.png").rename(photos / name)
    files = find_images("photos/*.png", tmp_path, tmp_path / "out")
    predicted = predict_files(localizer, files, 8, invert=False)
    assert predicted[0]["file"].tolist() == [str(photos / "a.png")]
    reasons = predicted[1].set_index("file")["reason"]
    assert "not UTF-8" in reasons[str(photos / r"\udcff.png")]
    written(predicted, tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "failures.csv")) == 2
    with pytest.raises(ImageError, match=r"none of the 1 files.*(\n.*)*udcff\.png: .*not UTF-8"):
        predict_files(localizer, [photos / name], 8, invert=False)


@pytest.fixture
def predicted(localizer, photos, tmp_path):
    return predict_files(
        localizer, find_images("photos", tmp_path, tmp_path / "out"), 8, invert=False
    )


def written(predicted, folder, overlays=2):
    write_results(
        *predicted, folder, model={"architecture": "m"}, overlays=overlays, max_image_mb=8
    )


def test_tables_json_and_overlays_are_written(predicted, tmp_path):
    out = tmp_path / "new" / "out"
    written(predicted, out)
    assert sorted(path.name for path in out.iterdir()) == WRITTEN
    assert sorted(path.name for path in (out / "overlays").iterdir()) == [
        "00001_a.png",
        "00002_b.png",
    ]
    pd.testing.assert_frame_equal(
        pd.read_csv(out / "predictions.csv", dtype={"label": str}), predicted[0]
    )
    assert len(pd.read_csv(out / "failures.csv")) == 2
    document = json.loads((out / "predictions.json").read_text("utf-8"))
    assert document["model"] == {"architecture": "m"}
    assert document["images"][1]["box"]["xmax"] == predicted[0]["xmax"][1]


def test_writing_again_replaces_ours_and_keeps_all_else(predicted, tmp_path):
    written(predicted, tmp_path / "out")
    (tmp_path / "out" / "mine.txt").write_text("kept")
    (tmp_path / "out" / "overlays" / "mine.png").write_text("kept")
    written((predicted[0].head(1), predicted[1].head(0)), tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == 1
    assert len(pd.read_csv(tmp_path / "out" / "failures.csv")) == 0
    assert (tmp_path / "out" / "mine.txt").read_text() == "kept"
    assert (tmp_path / "out" / "overlays" / "mine.png").read_text() == "kept"


def test_files_of_the_same_name_that_are_not_ours_are_never_replaced(predicted, tmp_path):
    (tmp_path / "predictions.csv").write_text("a year of work")
    with pytest.raises(LocalizationError, match=r"holds predictions\.csv.*another folder"):
        written(predicted, tmp_path)
    assert (tmp_path / "predictions.csv").read_text() == "a year of work"
    assert not (tmp_path / "predictions.json").exists()


def test_a_file_where_the_folder_should_be_is_an_error(predicted, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(LocalizationError, match="is a file; name a folder"):
        written(predicted, tmp_path / "out")


def test_an_overlay_shows_the_box_at_the_pixel(tmp_path, square):
    Image.fromarray(square(40, 40, 12, 8, 16)).save(tmp_path / "a.png")
    row = {"file": str(tmp_path / "a.png"), "label": "ä 大", "confidence": 0.5}
    drawn = np.asarray(overlay({**row, "xmin": 12, "ymin": 8, "xmax": 28, "ymax": 24}, 1.0))
    assert drawn.shape == (320, 320, 3)
    red = (drawn == (255, 65, 54)).all(axis=2)
    columns = np.nonzero(red[64 + 8 : 192 - 8, :])[1]
    assert columns.min() == 12 * 8
    assert columns.max() == 28 * 8 - 1
    assert red[8 * 8, 100:200].all()
    assert red[24 * 8 - 1, 100:200].all()
