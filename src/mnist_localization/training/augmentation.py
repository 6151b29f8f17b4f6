"""Images changed on the fly, with their boxes, so that a model learns to bear it."""

import numpy as np

from mnist_localization.boxes import pixel_corners
from mnist_localization.config import AugmentationSettings
from mnist_localization.images import ImageStore
from mnist_localization.images.pipeline import Augmentation, Boxes
from mnist_localization.perturbations import (
    Pixels,
    brighter,
    cluttered,
    ink_fragments,
    noisy,
    scaled_box,
    with_contrast,
    with_scaled_frame,
)


def make_augmentation(
    store: ImageStore, settings: AugmentationSettings, seed: int
) -> Augmentation | None:
    """The configured changes; none where no share of the images is changed.

    Each changed image is scaled or cluttered or left, and then made noisy, brighter or of less
    contrast, or left; the other images stay as they are, to the bit.

    Args:
        store: Training split, which gives the clutter.
        settings: The section `train.augmentation`.
        seed: Seed of the clutter's fragments.

    Returns:
        Images `[n, height, width, channels]`, uint8, relative boxes `[n, 4]` and a generator
        to changed copies of both.
    """
    if settings.share == 0:
        return None
    fragments = ink_fragments(store, seed)

    def augment(images: Pixels, boxes: Boxes, random: np.random.Generator) -> tuple[Pixels, Boxes]:
        images, boxes = images.copy(), boxes.copy()
        height, width = store.shape[:2]
        for row in np.flatnonzero(random.random(len(images)) < settings.share):
            choice = random.random()
            if choice < 0.4:
                corners = pixel_corners(boxes[row], height, width)[0]
                factor = np.exp(random.uniform(-1, 1) * np.log1p(settings.scale))
                images[row] = with_scaled_frame(images[row], corners, factor)
                boxes[row] = scaled_box(corners, factor, height, width) / (
                    width,
                    height,
                    width,
                    height,
                )
            elif choice < 0.7 and settings.clutter:
                images[row] = cluttered(images[row], fragments, random)
            images[row] = _with_other_light(images[row], settings, random)
        return images, boxes

    return augment


def _with_other_light(
    image: Pixels, settings: AugmentationSettings, random: np.random.Generator
) -> Pixels:
    choice = random.random()
    if choice < 0.35:
        return noisy(image, random.uniform(0, settings.noise), random)
    if choice < 0.5:
        return brighter(image, random.uniform(-1, 1) * settings.brightness)
    if choice < 0.65:
        return with_contrast(image, 1 - random.uniform(0, settings.contrast))
    return image
