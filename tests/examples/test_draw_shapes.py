import subprocess
import sys

import numpy as np
import pandas as pd
from PIL import Image

from examples.draw_shapes import SHAPES, draw_shapes
from support.project import ROOT


def test_the_command_draws_images_and_their_annotations(tmp_path):
    command = [sys.executable, "examples/draw_shapes.py", str(tmp_path / "shapes"), "--images=40"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    table = pd.read_csv(tmp_path / "shapes" / "annotations.csv")
    assert list(table.columns) == ["image", "id", "shape", "left", "top", "width", "height"]
    assert set(table["shape"]) == set(SHAPES)
    assert {name.rpartition(".")[2] for name in table["image"]} == {"png", "jpg", "webp", "bmp"}
    assert (table[["left", "top"]] >= 0).all(axis=None)
    for name, (left, top, width, height) in zip(
        table["image"], table[["left", "top", "width", "height"]].to_numpy(), strict=True
    ):
        with Image.open(tmp_path / "shapes" / "images" / name) as image:
            assert left + width <= image.width
            assert top + height <= image.height
            assert 80 <= min(image.size) <= max(image.size) <= 240


def test_the_seed_determines_the_images(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        draw_shapes(tmp_path / name, 1, seed)
    first, same, other = (
        np.asarray(Image.open(tmp_path / name / "images" / "00000.png").convert("RGB"))
        for name in "abc"
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_an_existing_folder_is_not_overwritten(tmp_path):
    draw_shapes(tmp_path, 1)
    command = [sys.executable, "examples/draw_shapes.py", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "exists; remove it, or name another folder" in done.stderr
