from pathlib import Path

import numpy as np
import pytest

from mnist_localization.reporting import annotation_sample
from support.settings import image_settings, section
from support.small_stores import make_store

DATASET = section(
    "dataset",
    image=image_settings(height=40, width=40, channels=1),
    class_names=("small", "large"),
    whole_pixel_boxes=True,
)


def test_the_sample_frames_the_squares_of_its_images(tmp_path: Path) -> None:
    store = make_store(tmp_path, count=9, seed=1)
    figure = annotation_sample(store, DATASET, count=4, seed=2)
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 4
    for axes in shown:
        (frame,) = axes.patches
        rows, columns = np.nonzero(axes.images[0].get_array())
        assert frame.get_x() == pytest.approx(columns.min())
        assert frame.get_x() + frame.get_width() == pytest.approx(columns.max() + 1)
        assert frame.get_y() == pytest.approx(rows.min())
        size = "small" if round(frame.get_width()) == 8 else "large"
        assert axes.get_title().endswith(f"true {size}")
    assert "4 of 9 images of the train split (source: synthetic)" in figure.get_suptitle()


def test_the_same_seed_shows_the_same_images(tmp_path: Path) -> None:
    store = make_store(tmp_path, count=9, seed=1)

    def titles(seed: int) -> list[str]:
        return [axes.get_title() for axes in annotation_sample(store, DATASET, 3, seed).axes]

    assert titles(2) == titles(2)
    assert titles(2) != titles(3)
    assert len(annotation_sample(store, DATASET, 50, seed=2).legends[0].get_texts()) == 1
