"""Checks of a small dataset with one fault of each kind."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_localization.config.data import DatasetSettings
from mnist_localization.data.checks import CHECK_COLUMNS, check_dataset
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.reporting.html.check import render_check_page
from support.annotation_files import annotation_settings
from support.dataset_cards import make_card
from support.settings import section

SETTINGS = section("check", listed=2, rare_class=2, small_box=3.0)
MARKUP = "<img src=x onerror=alert(1)>.png"


def dataset(**image) -> DatasetSettings:
    return section(
        "dataset",
        image={"height": 20, "width": 20} | image,
        class_names=("ant", "bee", "cat"),
        whole_pixel_boxes=False,
    )


def run_check(raw: Path, settings=None, card=None, max_image_mb=1.0) -> pd.DataFrame:
    split = section("split", max_image_mb=max_image_mb)
    return check_dataset(
        SETTINGS, section("annotate"), settings or dataset(), split, card or CARD, raw
    )


def save(folder: Path, name: str, seed: int, size=(20, 20), mode="L"):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(folder / name)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    source = tmp_path / "raw" / "source"
    train, test = source / "train", source / "test"
    for folder in (train, test):
        folder.mkdir(parents=True)
    for number in range(6):
        save(train, f"{number}.png", number)
    save(train, "twin.bmp", 0)
    save(train, "twin of another label.png", 1)
    save(train, "large.png", 20, size=(30, 20))
    save(train, "color.png", 21, mode="RGB")
    save(train, MARKUP, 22)
    (train / "broken.png").write_bytes(b"no image")
    save(test, "fresh.png", 30)
    save(test, "leaked.png", 3)
    rows = [f"{number}.png,{number % 2},0.1,0.1,0.6,0.6" for number in range(6)]
    rows += ["twin.bmp,0,0.1,0.1,0.6,0.6", "twin of another label.png,0,0.1,0.1,0.6,0.6"]
    rows += ["large.png,0,0.1,0.1,0.2,0.2", "color.png,1,0.1,0.1,0.6,0.6"]
    rows += ["broken.png,1,0.1,0.1,0.6,0.6", "gone.png,1,0.1,0.1,0.6,0.6"]
    (source / "train.csv").write_text("\n".join(rows), "utf-8")
    (source / "test.csv").write_text(
        "fresh.png,0,0.1,0.1,0.6,0.6\nleaked.png,1,0.5,0.5,1.5,0.9\n", "utf-8"
    )
    return tmp_path / "raw"


CARD = make_card(source="folder")


def card_with(**splits: str) -> DatasetCard:
    """Return a card whose splits share the training images, each with an annotation file."""
    train = CARD.splits["train"]
    return CARD.model_copy(
        update={
            "splits": {
                split: train.model_copy(update={"annotations": name})
                for split, name in splits.items()
            }
        }
    )


def found(check: pd.DataFrame, level: str) -> set[tuple[str, str]]:
    rows = check[check["level"] == level]
    return {
        (kind, file or name)
        for kind, file, name in zip(rows["check"], rows["file"], rows["name"], strict=True)
    }


def test_each_fault_is_found_with_its_file(raw):
    check = run_check(raw)
    assert list(check.columns) == list(CHECK_COLUMNS)
    assert found(check, "problem") == {
        ("unreadable image", "broken.png"),
        ("missing image", "gone.png"),
        ("box outside the image", "leaked.png"),
        ("image of another size", "large.png"),
        ("image of other channels", "color.png"),
        ("picture in both splits", "leaked.png"),
        ("same picture, other label", "twin of another label.png"),
        ("class without images", "cat"),
        ("class without images", "bee"),
    }
    assert found(check, "note") == {
        ("repeated picture", "twin.bmp"),
        ("repeated picture", "twin of another label.png"),
        ("image without annotation", MARKUP),
        ("small box", "large.png"),
        ("rare class", "ant"),
    }
    assert check["level"].tolist() == sorted(check["level"], key=["problem", "note", "fact"].index)


def test_the_facts_have_counts_and_box_statistics(raw):
    check = run_check(raw)
    facts = check[(check["level"] == "fact") & (check["split"] == "train")]
    values = {
        (kind, name): value
        for kind, name, value in zip(facts["check"], facts["name"], facts["value"], strict=True)
    }
    assert values["counts", "images"] == 12
    assert values["counts", "good annotations"] == 11
    assert values["counts", "bad annotations"] == 1
    assert values["counts", "images without annotation"] == 1
    assert values["class balance", "ant"] == 6
    assert values["image size", "20x20, 1 channel"] == 9
    assert values["image size", "20x30, 1 channel"] == 1
    assert values["box", "width, smallest"] == pytest.approx(0.1)
    assert values["box", "area, largest"] == pytest.approx(0.25)


def test_images_that_are_converted_or_letterboxed_are_not_a_problem(raw):
    check = run_check(raw, dataset(letterbox=True, convert_channels=True))
    kinds = {kind for kind, _ in found(check, "problem")}
    assert not kinds & {"image of another size", "image of other channels"}


def test_an_image_above_the_size_limit_counts_as_unreadable(raw):
    check = run_check(raw, max_image_mb=500 / 2**20)
    assert ("unreadable image", "large.png") in found(check, "problem")


def test_splits_that_share_a_folder_consist_of_their_annotated_images(raw):
    (raw / "source" / "other.csv").write_text("5.png,0,0.1,0.1,0.6,0.6\n", "utf-8")
    card = card_with(train="train.csv", test="other.csv")
    check = run_check(raw, card=card)
    assert ("picture in both splits", "5.png") in found(check, "problem")
    facts = check[(check["check"] == "counts") & (check["name"] == "images")]
    assert facts["value"].tolist() == [11, 1]


def only_training(raw: Path, rows: list[str]) -> DatasetCard:
    """Return a card without a test set, with annotations of its own."""
    (raw / "source" / "own.csv").write_text("\n".join(rows), "utf-8")
    return card_with(train="own.csv")


def test_without_a_test_set_a_repeated_picture_is_a_problem_if_both_are_annotated(raw):
    rows = ["0.png,0,0.1,0.1,0.6,0.6", "twin.bmp,0,0.1,0.1,0.6,0.6", "1.png,1,0.1,0.1,0.6,0.6"]
    card = only_training(raw, rows)
    check = run_check(raw, card=card)
    kind = "picture that may be in both splits"
    twins = check[check["check"] == kind]
    assert twins["level"].tolist() == ["problem"]
    assert twins["file"].tolist() == ["twin.bmp"]
    assert "as 0.png (train); both may be drawn for test" in twins["detail"].item()
    assert ("repeated picture", "twin of another label.png") in found(check, "note")
    assert "The split stage draws the test set" in render_check_page(SETTINGS, check, card)


def test_annotated_pictures_are_compared_before_others(raw):
    save(raw / "source" / "train", "0 again.png", 0)
    rows = ["0.png,0,0.1,0.1,0.6,0.6", "twin.bmp,0,0.1,0.1,0.6,0.6"]
    check = run_check(raw, card=only_training(raw, rows))
    assert ("picture that may be in both splits", "twin.bmp") in found(check, "problem")
    assert ("repeated picture", "0 again.png") in found(check, "note")


@pytest.mark.parametrize("csv_boxes", ["rel_xyxy", "xyxy"])
@pytest.mark.parametrize("is_shared", [False, True])
def test_annotated_files_of_any_suffix_are_opened(raw, csv_boxes, is_shared):
    train = raw / "source" / "train"
    (train / "a.gif").write_bytes(b"no image")
    (train / "photo").write_bytes((train / "5.png").read_bytes())
    box = "1,1,6,6" if csv_boxes == "xyxy" else "0.1,0.1,0.6,0.6"
    rows = [f"a.gif,0,{box}", f"photo,1,{box}", f"0.png,2,{box}"]
    card = only_training(raw, rows)
    if is_shared:
        card = card_with(train="own.csv", test="own.csv")
    annotations = annotation_settings(csv_boxes=csv_boxes)
    settings = dataset().model_copy(update={"annotations": annotations})
    check = run_check(raw, settings, card)
    assert ("unreadable image", "a.gif") in found(check, "problem")
    facts = check[(check["check"] == "counts") & (check["name"] == "images")]
    assert facts["value"].tolist() == ([3, 3] if is_shared else [14])


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_a_file_name_that_is_not_utf8_can_be_written_to_table_and_page(raw, tmp_path):
    name = os.fsdecode(b"\xff.png")
    (raw / "source" / "train" / name).write_bytes(b"no image")
    check = run_check(raw)
    assert ("unreadable image", r"\udcff.png") in found(check, "problem")
    check.to_parquet(tmp_path / "check.parquet")
    page = render_check_page(section("check"), check, CARD).encode("utf-8")
    assert rb"\udcff.png" in page


def test_the_page_lists_findings_with_escaped_names(raw):
    for number in range(3):
        (raw / "source" / "train" / f"bad{number}.png").write_bytes(b"")
    check = run_check(raw)
    page = render_check_page(SETTINGS, check, CARD)
    assert "Unreadable image: 4" in page
    assert "2 more are in the table" in page
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;.png" in page
    assert "twin.bmp" in page
    assert "No problems." not in page


def test_the_page_of_a_clean_dataset_reports_no_problem(raw):
    source = raw / "source"
    rows = [f"{number}.png,{number % 3},0.1,0.1,0.6,0.6" for number in range(6)]
    (source / "clean.csv").write_text("\n".join(rows), "utf-8")
    for path in (source / "train").iterdir():
        if path.name not in {f"{number}.png" for number in range(6)}:
            path.unlink()
    card = card_with(train="clean.csv")
    check = run_check(raw, card=card)
    assert set(check["level"]) == {"fact"}
    assert "No problems." in render_check_page(SETTINGS, check, card)
