"""Augment training images and their boxes on the fly."""

import math

import numpy as np

from mnist_localization.config.train import AugmentationSettings
from mnist_localization.data.boxes import FloatArray, pixel_corners
from mnist_localization.data.images.decode import Pixels
from mnist_localization.data.images.pipeline import Augmentation, Boxes, RandomKeys
from mnist_localization.data.images.store import ImageStore
from mnist_localization.data.perturbations import (
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
    """Create the configured augmentation.

    An augmented image is scaled, cluttered or kept, and then gets noise, another brightness, less
    contrast, or is kept. Other images are not changed at all.

    Args:
        store: Training split, from which clutter is cut.
        settings: Section `train.augmentation`.
        seed: Seed of the clutter and of the noise.

    Returns:
        Function from images `[n, height, width, channels]`, uint8, relative boxes `[n, 4]` and
        random keys `[n, 2]` to new images and boxes; `None` if no share of the images is augmented.
    """
    return None if settings.share == 0 else _Augmentation(store, settings, seed)


class _Augmentation:
    """Augmentation of a share of the images, which depends on the random keys alone."""

    def __init__(self, store: ImageStore, settings: AugmentationSettings, seed: int) -> None:
        self._settings = settings
        self._shape = height, width, channels = store.shape
        self._fragments = cut_fragments(store, seed)
        self._bits = np.random.Philox(key=0)
        self._start = self._bits.state
        # Drawn once and cut at random positions, because drawing noise for each image is slow.
        self._noise = np.random.default_rng(seed).standard_normal(
            _NOISE_IMAGES * height * width * channels, dtype=np.float32
        )

    def __call__(self, images: Pixels, boxes: Boxes, keys: RandomKeys) -> tuple[Pixels, Boxes]:
        images, boxes = images.copy(), boxes.copy()
        height, width, _ = self._shape
        corners = pixel_corners(boxes, height, width)
        for row in np.flatnonzero(keys[:, 0] < self._settings.share * 2**32):
            random = self._generator(keys[row])
            choice = random.random()
            if choice < 0.4:
                images[row], boxes[row] = self._scaled(images[row], corners[row], random)
            elif choice < 0.7 and self._settings.clutter:
                images[row] = add_clutter(images[row], self._fragments, random)
            images[row] = self._relit(images[row], random)
        return images, boxes

    def _generator(self, key: RandomKeys) -> np.random.Generator:
        """Return the generator of an image. Setting a state is faster than creating a generator."""
        self._start["state"]["key"] = key.astype(np.uint64)
        self._bits.state = self._start
        return np.random.Generator(self._bits)

    def _scaled(
        self, image: Pixels, corners: FloatArray, random: np.random.Generator
    ) -> tuple[Pixels, FloatArray]:
        """Return an image with a scaled object and its relative box, given corners in pixels."""
        height, width, _ = self._shape
        factor = math.exp(random.uniform(-1, 1) * math.log1p(self._settings.scale))
        target = scale_box(corners, factor, height, width)
        return move_object(image, corners, target), target / (width, height, width, height)

    def _relit(self, image: Pixels, random: np.random.Generator) -> Pixels:
        """Return an image with noise, another brightness, less contrast, or the image itself."""
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
