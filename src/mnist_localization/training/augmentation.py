"""Augment training images and their boxes, as batched operations of the input pipeline."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import numpy as np
import tensorflow as tf

from mnist_localization.config.train import AugmentationSettings
from mnist_localization.data.images.pipeline import Augmentation
from mnist_localization.data.images.store import ImageStore
from mnist_localization.data.perturbations import cut_fragments
from mnist_localization.training import affine, image_changes

# Function from images, boxes and random numbers to new images and boxes.
_Apply = Callable[[Any, Any, Any], tuple[Any, Any]]

# Random numbers of an image: which change of its content and of its pixels it gets. Each change has
# one more, and those that it draws from.
_CONTENT, _PIXELS, _FIRST_OWN = range(3)


@dataclass(frozen=True)
class _Chance:
    """Share of the augmented images that get a change.

    Attributes:
        draw: Number that changes share of which an image gets one.
        first: Start of the interval of that number in which an image gets this change.
        end: End of the interval.
        combined: Share if the changes are drawn independently.
    """

    draw: int
    first: float
    end: float
    combined: float


# In the order in which an image is changed.
_CHANCES = {
    "affine": _Chance(_CONTENT, 0.0, 0.4, 1.0),
    "clutter": _Chance(_CONTENT, 0.4, 0.7, 0.3),
    "cutout": _Chance(_CONTENT, 0.7, 0.85, 0.3),
    "blur": _Chance(_PIXELS, 0.65, 0.8, 0.2),
    "light": _Chance(_PIXELS, 0.35, 0.65, 1.0),
    "noise": _Chance(_PIXELS, 0.0, 0.35, 0.3),
}


@dataclass(frozen=True)
class _Change:
    """One change of images.

    Attributes:
        name: Its key in the table of chances.
        numbers: Random numbers that it needs for each image.
        apply: Function from uint8 images, relative boxes and random numbers `[n, numbers]` to new
            images and boxes.
    """

    name: str
    numbers: int
    apply: _Apply


def make_augmentation(
    store: ImageStore, settings: AugmentationSettings, seed: int
) -> Augmentation | None:
    """Create the configured augmentation.

    Args:
        store: Training split, from which clutter is cut.
        settings: Section `train.augmentation`.
        seed: Seed of the clutter and of the noise.

    Returns:
        Function from images `[n, height, width, channels]`, uint8, relative boxes `[n, 4]` and
        random keys `[n, 2]` to new images and boxes, in TensorFlow operations; `None` if nothing is
        augmented. An image is changed alike in every batch, and the images that are not chosen
        keep their bits.
    """
    changes = _changes(store, settings, seed) if settings.share else []
    return _Augmentation(settings, changes) if changes else None


class _Augmentation:
    """Augmentation of a share of the images, which depends on the random keys alone."""

    def __init__(self, settings: AugmentationSettings, changes: list[_Change]) -> None:
        self._settings, self._changes = settings, changes
        self._numbers = _FIRST_OWN + sum(1 + change.numbers for change in changes)

    def __call__(self, images: Any, boxes: Any, keys: Any) -> tuple[Any, Any]:
        images, boxes = tf.convert_to_tensor(images), tf.convert_to_tensor(boxes)
        keys = tf.convert_to_tensor(keys)
        rows = _rows(tf.cast(keys[:, 0], tf.float64) < self._settings.share * 2.0**32)
        random = keyed_uniform(tf.gather(keys, rows), self._numbers)
        chosen, moved = self._changed(tf.gather(images, rows), tf.gather(boxes, rows), random)
        return _replace(images, rows, chosen), _replace(boxes, rows, moved)

    def _changed(self, images: Any, boxes: Any, random: Any) -> tuple[Any, Any]:
        start = _FIRST_OWN
        for change in self._changes:
            end = start + 1 + change.numbers
            rows = _rows(self._gets(change.name, random, start))
            given = tf.gather(boxes, rows)
            new, moved = change.apply(
                tf.gather(images, rows), given, tf.gather(random[:, start + 1 : end], rows)
            )
            images = _replace(images, rows, new)
            if moved is not given:
                boxes = _replace(boxes, rows, moved)
            start = end
        return images, boxes

    def _gets(self, name: str, random: Any, own: int) -> Any:
        """Return which images get a change."""
        chance = _CHANCES[name]
        if self._settings.combine:
            return random[:, own] < chance.combined
        drawn = random[:, chance.draw]
        return (drawn >= chance.first) & (drawn < chance.end)


def keyed_uniform(keys: Any, count: int) -> Any:
    """Draw uniform random numbers that depend on nothing but a key.

    Key and counter are hashed like in `models.layers.keyed_uniform`, with other counters. That
    function uses the operations of the backend of Keras, and `tf.data` has those of TensorFlow.

    Args:
        keys: Random keys, uint32 `[n, 2]`.
        count: Numbers for each key.

    Returns:
        Numbers in [0, 1), float32 `[n, count]`.
    """
    counters = np.arange(2**16, 2**16 + count) * 0x9E3779B1 % 2**32
    state = _mix_bits(keys[:, :1] + tf.constant(counters[None], tf.uint32))
    state = _mix_bits(tf.bitwise.bitwise_xor(state, keys[:, 1:]))
    # The upper 24 bits, which a float32 holds exactly.
    upper = tf.bitwise.right_shift(state, tf.constant(8, tf.uint32))
    return tf.cast(upper, tf.float32) * 2.0**-24


def _mix_bits(state: Any) -> Any:
    """Apply the finalizer of MurmurHash3 (Appleby, 2011)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        shifted = tf.bitwise.right_shift(state, tf.constant(shift, tf.uint32))
        state = tf.bitwise.bitwise_xor(state, shifted)
        if factor != 1:
            state *= tf.constant(factor, tf.uint32)
    return state


def _rows(mask: Any) -> Any:
    """Return the positions at which a mask `[n]` is true."""
    return tf.cast(tf.where(mask)[:, 0], tf.int32)


def _replace(values: Any, rows: Any, new: Any) -> Any:
    """Return values with some rows replaced; many times faster than a scatter of images."""
    return tf.dynamic_stitch([tf.range(tf.shape(values)[0]), rows], [values, new])


def _changes(store: ImageStore, settings: AugmentationSettings, seed: int) -> list[_Change]:
    """Return the changes that are not off, in the order in which an image is changed."""
    height, width, channels = store.shape
    color = settings.color if channels == 3 else 0.0
    limits = settings.brightness, settings.contrast, color
    made = [
        _affine(settings, height, width),
        _clutter(store, settings.clutter, seed) if settings.clutter else None,
        _cutout(settings.cutout) if settings.cutout else None,
        _blur(settings.blur) if settings.blur else None,
        _light(limits, settings.combine) if any(limits) else None,
        _noise(store.shape, settings.noise, seed) if settings.noise else None,
    ]
    return [change for change in made if change is not None]


def _affine(settings: AugmentationSettings, height: int, width: int) -> _Change | None:
    strengths = (settings.flip, settings.translation, settings.scale)
    if not any((*strengths, settings.rotation, settings.shear)):
        return None
    is_axis_parallel = not (settings.rotation or settings.shear)

    def apply(images: Any, boxes: Any, random: Any) -> tuple[Any, Any]:
        maps = affine.draw_maps(boxes, random, settings, height, width)
        moved = affine.transform_images(images, maps, axis_parallel=is_axis_parallel)
        return moved, affine.transform_boxes(maps)

    return _Change("affine", affine.RANDOM_NUMBERS, apply)


def _clutter(store: ImageStore, pieces: int, seed: int) -> _Change:
    fragments = tf.constant(cut_fragments(store, seed))

    def apply(images: Any, boxes: Any, random: Any) -> tuple[Any, Any]:
        return image_changes.add_clutter(images, random, fragments), boxes

    return _Change("clutter", 3 * pieces, apply)


def _cutout(limit: float) -> _Change:
    def apply(images: Any, boxes: Any, random: Any) -> tuple[Any, Any]:
        return image_changes.cut_out(images, boxes, random, limit), boxes

    return _Change("cutout", 4, apply)


def _blur(limit: float) -> _Change:
    def apply(images: Any, boxes: Any, random: Any) -> tuple[Any, Any]:
        return image_changes.blur(images, random, limit), boxes

    return _Change("blur", 1, apply)


def _light(limits: tuple[float, float, float], combine: bool) -> _Change:
    def apply(images: Any, boxes: Any, random: Any) -> tuple[Any, Any]:
        return image_changes.change_light(images, random, limits, combine=combine), boxes

    return _Change("light", 5, apply)


def _noise(shape: tuple[int, int, int], limit: float, seed: int) -> _Change:
    height, width, channels = shape
    drawn = np.random.default_rng(seed).standard_normal(
        (image_changes.NOISE_LINES, width * channels), dtype=np.float32
    )
    lines = tf.constant(drawn)

    def apply(images: Any, boxes: Any, random: Any) -> tuple[Any, Any]:
        return image_changes.add_noise(images, random, limit, lines), boxes

    return _Change("noise", 1 + height, apply)
