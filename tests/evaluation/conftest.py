"""Tables of predictions with known and with random content, and small image stores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_localization.config.data import DatasetSettings, ImageSettings
from mnist_localization.config.results import EvaluateSettings
from mnist_localization.data.images.store import ImageStore
from mnist_localization.data.images.store_writer import SplitSpec, write_store
from mnist_localization.evaluation.predictions import prediction_table
from support.scoring_tables import StoreMaker, annotations
from support.settings import image_settings, section

CLASSES = 4


@pytest.fixture
def image() -> ImageSettings:
    return image_settings(height=50, width=100, channels=1)


@pytest.fixture
def dataset(image: ImageSettings) -> DatasetSettings:
    return section(
        "dataset", image=image, class_names=("ant", "bee", "cat", "dog"), whole_pixel_boxes=True
    )


@pytest.fixture
def settings() -> EvaluateSettings:
    return EvaluateSettings(
        model="latest",
        batch_size=8,
        on_stale="warn",
        bootstrap_resamples=200,
        calibration_bins=10,
        position_grid=3,
        contact_sheet=4,
        robustness=False,
    )


@pytest.fixture
def random_predictions() -> pd.DataFrame:
    """200 images of 4 classes: most labels right, boxes off by up to a third of their size."""
    generator = np.random.default_rng(5)
    count = 200
    low = generator.uniform(0.0, 0.6, (count, 2))
    boxes = np.hstack([low, low + generator.uniform(0.2, 0.4, (count, 2))])
    labels = generator.integers(0, CLASSES, count)
    claimed = np.where(generator.random(count) < 0.7, labels, generator.integers(0, 4, count))
    given = boxes + generator.normal(0, 0.03, (count, 4))
    confidence = np.round(generator.uniform(0.3, 1.0, count), 2)  # with ties
    return prediction_table(annotations(labels, boxes), claimed, confidence, given, given)


@pytest.fixture
def four_predictions() -> pd.DataFrame:
    """Return an image of each kind of error, boxes of 20 x 20 pixels on 100 x 50."""
    true = np.tile([0.2, 0.2, 0.4, 0.6], (4, 1))
    far = [0.6, 0.2, 0.8, 0.6]
    given = np.array([true[0], true[0], far, far])
    raw = np.array([true[0] + [0.004, 0, 0.004, 0], true[0], far, far])
    return prediction_table(
        annotations(np.array([0, 1, 2, 3]), true), [0, 2, 2, 0], [0.9, 0.8, 0.7, 0.6], given, raw
    )


@pytest.fixture
def make_store(tmp_path: Path) -> StoreMaker:
    """Writes images `[n, height, width]` with pixel boxes `[n, 4]` into a store."""

    def make(split: str, images: np.ndarray, boxes: np.ndarray, labels: np.ndarray) -> ImageStore:
        height, width = images.shape[1:]
        table = annotations(labels, boxes / [width, height, width, height])
        folder = tmp_path / f"{split}_images"
        folder.mkdir()
        for file, pixels in zip(table["file"], images, strict=True):
            Image.fromarray(pixels).save(folder / file)
        size = image_settings(height=height, width=width, channels=1)
        request = SplitSpec(split, "synthetic", "train", table, folder, "", size, 1.0)
        write_store(request, tmp_path / split)
        return ImageStore(tmp_path / split)

    return make


@pytest.fixture
def make_pasted(make_store: StoreMaker) -> StoreMaker:
    """Writes stores of 10x12 patches, pasted on 40x60: `background` is the intensity behind.

    The patches are symmetric, so their center of mass is their middle.
    """

    def make(
        split: str, count: int = 20, background: int = 0, grow: int = 0, seed: int = 0
    ) -> ImageStore:
        generator = np.random.default_rng(seed)
        images = np.full((count, 40, 60), background, np.uint8)
        boxes = np.empty((count, 4))
        for row in range(count):
            size = 10 + (row % 2) * grow
            patch = generator.integers(50, 255, (12, size), dtype=np.uint8)
            patch = np.maximum(patch, patch[::-1, ::-1])
            x, y = int(generator.integers(0, 61 - size)), int(generator.integers(0, 29))
            images[row, y : y + 12, x : x + size] = patch
            boxes[row] = [x, y, x + size, y + 12]
        return make_store(split, images, boxes, generator.permutation(np.arange(count) % 4))

    return make
