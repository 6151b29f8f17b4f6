"""Small image stores for tests: a bright square on black, or a dark one on white."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mnist_localization.data.images.store import ImageStore
from mnist_localization.data.images.store_writer import SplitSpec, write_store
from support.settings import image_settings

SIDE = 40
CLASS_SIDES = (8, 16)


def make_store(
    folder: Path, count: int, seed: int, split: str = "train", is_inverted: bool = False
) -> ImageStore:
    """Write a store of `count` images of 40x40 pixels, two classes."""
    random = np.random.default_rng(seed)
    images = folder / f"{split}_images"
    images.mkdir(parents=True)
    rows = []
    for number in range(count):
        label = number % len(CLASS_SIDES)
        side = CLASS_SIDES[label]
        x, y = random.integers(0, SIDE - side + 1, size=2)
        pixels = np.zeros((SIDE, SIDE), np.uint8)
        pixels[y : y + side, x : x + side] = random.integers(150, 256)
        Image.fromarray(255 - pixels if is_inverted else pixels).save(images / f"{number}.png")
        box = np.array([x, y, x + side, y + side]) / SIDE
        rows.append((f"{number}.png", label, *box))
    annotations = pd.DataFrame(rows, columns=["file", "label", "xmin", "ymin", "xmax", "ymax"])
    request = SplitSpec(
        split=split,
        source="synthetic",
        drawn_from="test" if split == "test" else "train",
        annotations=annotations,
        images=images,
        images_key=f"{seed}",
        image=image_settings(height=SIDE, width=SIDE, channels=1),
        max_image_mb=1.0,
    )
    write_store(request, folder / f"{split}_split")
    return ImageStore(folder / f"{split}_split")
