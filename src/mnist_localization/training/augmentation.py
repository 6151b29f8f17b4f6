"""Images changed on the fly, with their boxes, so that a model learns to bear it."""

import math

import numpy as np

from mnist_localization.config import AugmentationSettings
from mnist_localization.data.boxes import FloatArray, pixel_corners
from mnist_localization.data.images import ImageStore
from mnist_localization.data.images.pipeline import Augmentation, Boxes
from mnist_localization.data.perturbations import (
    Pixels,
    add_clutter,
    add_noise,
    change_brightness,
    change_contrast,
    cut_fragments,
    move_object,
    scale_box,
)

_NOISE_IMAGES = 64


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
    return None if settings.share == 0 else _Augmentation(store, settings, seed)


class _Augmentation:
    """Changes a share of the images of a batch."""

    def __init__(self, store: ImageStore, settings: AugmentationSettings, seed: int) -> None:
        self._settings = settings
        self._shape = height, width, channels = store.shape
        self._fragments = cut_fragments(store, seed)
        # Drawn once, and cut from anywhere: to draw it anew for each image takes far longer.
        self._noise = np.random.default_rng(seed).standard_normal(
            _NOISE_IMAGES * height * width * channels, dtype=np.float32
        )

    def __call__(
        self, images: Pixels, boxes: Boxes, random: np.random.Generator
    ) -> tuple[Pixels, Boxes]:
        images, boxes = images.copy(), boxes.copy()
        height, width, _ = self._shape
        corners = pixel_corners(boxes, height, width)
        for row in np.flatnonzero(random.random(len(images)) < self._settings.share):
            choice = random.random()
            if choice < 0.4:
                images[row], boxes[row] = self._scaled(images[row], corners[row], random)
            elif choice < 0.7 and self._settings.clutter:
                images[row] = add_clutter(images[row], self._fragments, random)
            images[row] = self._in_other_light(images[row], random)
        return images, boxes

    def _scaled(
        self, image: Pixels, corners: FloatArray, random: np.random.Generator
    ) -> tuple[Pixels, FloatArray]:
        """An image and its relative box, from the same with the box in pixels."""
        height, width, _ = self._shape
        factor = math.exp(random.uniform(-1, 1) * math.log1p(self._settings.scale))
        target = scale_box(corners, factor, height, width)
        return move_object(image, corners, target), target / (width, height, width, height)

    def _in_other_light(self, image: Pixels, random: np.random.Generator) -> Pixels:
        settings, choice = self._settings, random.random()
        if choice < 0.35:
            start = random.integers(len(self._noise) - image.size)
            noise = self._noise[start : start + image.size].reshape(image.shape)
            return add_noise(image, random.uniform(0, settings.noise), noise)
        if choice < 0.5:
            return change_brightness(image, random.uniform(-1, 1) * settings.brightness)
        if choice < 0.65:
            return change_contrast(image, 1 - random.uniform(0, settings.contrast))
        return image
