from typing import Any

import numpy as np
import pandas as pd
import pytest

from mnist_localization.models.architecture import BoxStatistics, compute_box_statistics
from support.small_stores import SIDE, make_store


class Images:
    """A split in memory: a bright rectangle on a background, its box moved by some pixels."""

    def __init__(self, sizes, moved=0.0, background=0):
        random = np.random.default_rng(0)
        self.shape = (60, 80, 1)
        self._images = np.full((len(sizes), *self.shape), background, np.uint8)
        boxes = []
        for image, (width, height) in zip(self._images, sizes, strict=True):
            x, y = random.integers(2, 30, 2)
            image[y : y + height, x : x + width] = 255 - background
            boxes.append([(x + moved) / 80, y / 60, (x + width + moved) / 80, (y + height) / 60])
        self.input_boxes = np.array(boxes, np.float32)

    def __len__(self):
        return len(self._images)

    def read(self, rows):
        return self._images[rows]


def compute(images: Any) -> BoxStatistics:
    """Compute the statistics of images that are not in a store."""
    return compute_box_statistics(images)


def test_a_typical_size_and_the_offset_of_the_center_of_mass_are_found():
    box_statistics = compute(Images([(20, 12)] * 40, moved=2.0))
    assert box_statistics.typical_size == pytest.approx((20 / 80, 12 / 60), abs=1e-6)
    assert box_statistics.mass_offset == pytest.approx((2 / 80, 0.0), abs=1e-6)


def test_varied_sizes_have_no_typical_size_but_may_have_a_mass_offset():
    sizes = [(number, 30 - number) for number in range(8, 28)]
    box_statistics = compute(Images(sizes))
    assert box_statistics.typical_size is None
    assert box_statistics.mass_offset == pytest.approx((0.0, 0.0), abs=1e-6)


def test_there_is_no_mass_offset_on_a_bright_background():
    assert compute(Images([(20, 12)] * 40, background=200)).mass_offset is None


def test_a_store_is_read_in_batches(tmp_path):
    store = make_store(tmp_path, 20, 0)
    assert isinstance(store.annotations, pd.DataFrame)
    assert compute_box_statistics(store).mass_offset == pytest.approx((0.0, 0.0), abs=0.6 / SIDE)
