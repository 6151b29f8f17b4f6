"""Benchmarks of many images and many annotation rows, with few of them."""

import re

import pytest
from PIL import Image

from benchmarks import annotations, scale
from support.project import ROOT


def test_the_time_per_added_image_is_compared_with_the_average():
    seconds = {"fetch": 1.0, "annotate": 2.0, "split": 10.0, "train": 20.0, "evaluate": 5.0}
    memory = {"fetch,annotate": 0.5, "split": 0.75, "train": 1.25, "evaluate": 1.0}
    doubled = {stage: 2 * value for stage, value in seconds.items()} | {"train": 44.0}
    first = scale.Result(1000, seconds, memory)
    text = scale.table([first, scale.Result(2000, doubled, memory)])
    assert "| 1,000 | 3.0 s, 0.50 GiB | 10.0 s, 0.75 GiB | 20.0 s, 1.25 GiB |" in text
    assert "split 10000 us (+0%); train 24000 us (+20%); evaluate 5000 us (+0%)" in text


@pytest.mark.parametrize("channels", [1, 3])
def test_the_images_show_a_bright_square_in_each_box(tmp_path, channels):
    scale.write_images(tmp_path, 12, 20, channels)
    rows = [line.split(",") for line in (tmp_path / "boxes.csv").read_text().splitlines()]
    assert len(rows) == 12
    for file, label, *corners in rows:
        with Image.open(tmp_path / "images" / file) as image:
            assert image.mode == ("L" if channels == 1 else "RGB")
            assert image.convert("L").getbbox() == tuple(map(int, corners))
            assert image.convert("L").getextrema()[1] == 155 + 10 * int(label)


def test_rows_of_both_formats_are_read(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert annotations.main(["--rows", "50"]) == 0
    printed = capsys.readouterr().out
    for name in ("rows", "coco"):
        assert re.search(rf"\| {name} \| 50 \| \d+\.\d \| \d\.\d\d \|", printed)
