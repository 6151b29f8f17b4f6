"""A small dataset with one fault of each kind: each is found, with its file."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_localization.config import (
    AnnotationFormat,
    CheckSettings,
    DatasetSettings,
    ImageSettings,
)
from mnist_localization.data.checks import CHECK_COLUMNS, check_dataset
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.reporting.html.check import render_check_page
from support.dataset_cards import make_card

SETTINGS = CheckSettings(listed=2, rare_class=2, small_box=3.0)
MARKUP = "<img src=x onerror=alert(1)>.png"


def dataset(**image):
    return DatasetSettings(
        image=ImageSettings(height=20, width=20, channels=1, **image),
        class_names=("ant", "bee", "cat"),
        whole_pixel_boxes=False,
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


def test_every_fault_is_found_with_its_file(raw):
    check = check_dataset(SETTINGS, dataset(), 1.0, CARD, raw)
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


def test_the_facts_count_and_measure(raw):
    check = check_dataset(SETTINGS, dataset(), 1.0, CARD, raw)
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


def test_what_is_converted_or_fitted_in_is_no_problem(raw):
    check = check_dataset(SETTINGS, dataset(letterbox=True, convert_channels=True), 1.0, CARD, raw)
    kinds = {kind for kind, _ in found(check, "problem")}
    assert not kinds & {"image of another size", "image of other channels"}


def test_an_image_above_the_limit_of_size_counts_as_unreadable(raw):
    check = check_dataset(SETTINGS, dataset(), 500 / 2**20, CARD, raw)
    assert ("unreadable image", "large.png") in found(check, "problem")


def test_splits_that_share_a_folder_are_told_apart_by_their_annotations(raw):
    (raw / "source" / "other.csv").write_text("5.png,0,0.1,0.1,0.6,0.6\n", "utf-8")
    card = card_with(train="train.csv", test="other.csv")
    check = check_dataset(SETTINGS, dataset(), 1.0, card, raw)
    assert ("picture in both splits", "5.png") in found(check, "problem")
    facts = check[(check["check"] == "counts") & (check["name"] == "images")]
    assert facts["value"].tolist() == [11, 1]


def only_training(raw: Path, rows: list[str]) -> DatasetCard:
    """A card without a test set, with annotations of its own."""
    (raw / "source" / "own.csv").write_text("\n".join(rows), "utf-8")
    return card_with(train="own.csv")


def test_without_a_test_set_a_repeated_picture_is_a_problem_where_both_are_used(raw):
    rows = ["0.png,0,0.1,0.1,0.6,0.6", "twin.bmp,0,0.1,0.1,0.6,0.6", "1.png,1,0.1,0.1,0.6,0.6"]
    card = only_training(raw, rows)
    check = check_dataset(SETTINGS, dataset(), 1.0, card, raw)
    kind = "picture that may be in both splits"
    twins = check[check["check"] == kind]
    assert twins["level"].tolist() == ["problem"]
    assert twins["file"].tolist() == ["twin.bmp"]
    assert "as 0.png (train); may end up in both training and test" in twins["detail"].item()
    assert ("repeated picture", "twin of another label.png") in found(check, "note")
    assert "Split draws a test set" in render_check_page(check, card, SETTINGS.listed)


def test_two_used_pictures_are_compared_though_an_unused_one_comes_first(raw):
    save(raw / "source" / "train", "0 again.png", 0)
    rows = ["0.png,0,0.1,0.1,0.6,0.6", "twin.bmp,0,0.1,0.1,0.6,0.6"]
    check = check_dataset(SETTINGS, dataset(), 1.0, only_training(raw, rows), raw)
    assert ("picture that may be in both splits", "twin.bmp") in found(check, "problem")
    assert ("repeated picture", "0 again.png") in found(check, "note")


@pytest.mark.parametrize("csv_boxes", ["rel_xyxy", "xyxy"])
@pytest.mark.parametrize("is_shared", [False, True])
def test_an_annotated_file_of_any_suffix_is_opened(raw, csv_boxes, is_shared):
    train = raw / "source" / "train"
    Image.new("L", (20, 20)).save(train / "a.gif")
    (train / "photo").write_bytes((train / "5.png").read_bytes())
    rows = ["a.gif,0,0.1,0.1,0.6,0.6", "photo,1,0.1,0.1,0.6,0.6", "0.png,2,0.1,0.1,0.6,0.6"]
    card = only_training(raw, rows)
    if is_shared:
        card = card_with(train="own.csv", test="own.csv")
    settings = dataset().model_copy(update={"annotations": AnnotationFormat(csv_boxes=csv_boxes)})
    check = check_dataset(SETTINGS, settings, 1.0, card, raw)
    assert ("unreadable image", "a.gif") in found(check, "problem")
    facts = check[(check["check"] == "counts") & (check["name"] == "images")]
    assert facts["value"].tolist() == ([3, 3] if is_shared else [14])


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_name_that_is_no_utf8_can_be_written_to_table_and_page(raw, tmp_path):
    name = os.fsdecode(b"\xff.png")
    (raw / "source" / "train" / name).write_bytes(b"no image")
    check = check_dataset(SETTINGS, dataset(), 1.0, CARD, raw)
    assert ("unreadable image", r"\udcff.png") in found(check, "problem")
    check.to_parquet(tmp_path / "check.parquet")
    page = render_check_page(check, CARD, 100).encode("utf-8")
    assert rb"\udcff.png" in page


def test_the_page_lists_findings_escapes_names_and_says_what_it_leaves_out(raw):
    for number in range(3):
        (raw / "source" / "train" / f"bad{number}.png").write_bytes(b"")
    check = check_dataset(SETTINGS, dataset(), 1.0, CARD, raw)
    page = render_check_page(check, CARD, SETTINGS.listed)
    assert "Unreadable image: 4" in page
    assert "And 2 more" in page
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;.png" in page
    assert "twin.bmp" in page
    assert "None was found" not in page


def test_the_page_of_a_clean_dataset_says_so(raw):
    source = raw / "source"
    rows = [f"{number}.png,{number % 3},0.1,0.1,0.6,0.6" for number in range(6)]
    (source / "clean.csv").write_text("\n".join(rows), "utf-8")
    for path in (source / "train").iterdir():
        if path.name not in {f"{number}.png" for number in range(6)}:
            path.unlink()
    card = card_with(train="clean.csv")
    check = check_dataset(SETTINGS, dataset(), 1.0, card, raw)
    assert set(check["level"]) == {"fact"}
    assert "None was found" in render_check_page(check, card, 10)
