"""Batches of an image store as `tf.data`, shuffled over the whole split."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_localization import backend  # noqa: F401  # isort: skip
import tensorflow as tf

from mnist_localization.data.images.store import ImageStore

Pixels = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Augmentation = Callable[[Pixels, Boxes, np.random.Generator], tuple[Pixels, Boxes]]

# Batches in flight, which bound the memory of the pipeline.
_PREFETCHED = 4


def batches(
    store: ImageStore, batch_size: int, *, shuffle: bool = False, seed: int | None = None
) -> tf.data.Dataset:
    """Return one pass over a store.

    Args:
        store: The split.
        batch_size: Images per batch; the last batch may be smaller.
        shuffle: Whether each pass draws a new order of the whole split.
        seed: Seed of the orders.

    Returns:
        Batches `(image, {"label", "bbox"})`: uint8 0..255 `[batch, height, width, channels]`,
        integer `[batch]`, corners relative to the model input `[batch, 4]`. The attribute
        `store` is the store.
    """
    indices = tf.data.Dataset.range(len(store))
    if shuffle:
        indices = indices.shuffle(len(store), seed=seed, reshuffle_each_iteration=True)
    return _read(store, indices.batch(batch_size))


def steps_per_epoch(images: int, batch_size: int) -> tuple[int, int]:
    """Return the steps per epoch and a divisor of it to use as `steps_per_execution`.

    TensorFlow runs several steps per execution much faster than single ones, but an epoch must
    end where an execution ends. If the number of steps has no suitable divisor, up to 1 % more
    batches are made, each slightly smaller.

    Args:
        images: Number of images in the split.
        batch_size: Images per batch at most.

    Returns:
        Batches per epoch, and a divisor of that number.

    Example:
        >>> steps_per_epoch(60_000, 32)
        (1875, 5)
        >>> steps_per_epoch(54_001, 128)
        (424, 8)
    """
    steps = math.ceil(images / batch_size)
    # More than 8 would gain little, and the progress bar of slow steps would seem to hang.
    for divisor in range(min(8, steps), 3, -1):
        if steps % divisor == 0:
            return steps, divisor
    for divisor in (8, 4, 2):
        rounded = math.ceil(steps / divisor) * divisor
        if rounded <= min(1.01 * steps, images):
            return rounded, divisor
    return steps, 1


def endless_batches(
    store: ImageStore,
    steps: int,
    *,
    seed: int,
    first_epoch: int = 0,
    augmentation: Augmentation | None = None,
) -> tf.data.Dataset:
    """Return endless passes whose orders depend on seed and epoch only.

    A resumed training therefore sees the images in the same order as an uninterrupted one.

    Args:
        store: The split.
        steps: Batches per pass; their sizes differ by one image at most.
        seed: Seed of the orders.
        first_epoch: Number of the first pass, from 0.
        augmentation: Augments images and boxes with a generator that depends on seed and step
            only.

    Returns:
        Batches as from `batches`.
    """
    ends = tf.constant(np.arange(steps + 1) * len(store) // steps)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(store), dtype=tf.int64), seed=tf.stack([seed, epoch])
        )
        numbers = tf.data.Dataset.range(steps)
        return numbers.map(lambda number: order[ends[number] : ends[number + 1]])

    indices = tf.data.Dataset.counter(start=first_epoch).flat_map(one_epoch)
    if augmentation is None:
        return _read(store, indices)
    return _read_augmented(store, indices.enumerate(first_epoch * steps), augmentation, seed)


def _read(store: ImageStore, indices: tf.data.Dataset) -> tf.data.Dataset:
    labels, boxes = tf.constant(store.labels), tf.constant(store.input_boxes)

    def read(index: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        images = tf.numpy_function(store.read, [index], tf.uint8)
        images = tf.ensure_shape(images, (None, *store.shape))
        return images, {"label": tf.gather(labels, index), "bbox": tf.gather(boxes, index)}

    return _prefetched(store, indices, read)


def _read_augmented(
    store: ImageStore, indices: tf.data.Dataset, augmentation: Augmentation, seed: int
) -> tf.data.Dataset:
    labels, boxes = tf.constant(store.labels), store.input_boxes

    def augmented(step: np.int64, index: Indices) -> tuple[Pixels, Boxes]:
        generator = np.random.default_rng([seed, int(step)])
        return augmentation(store.read(index), boxes[index], generator)

    def read(step: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        images, corners = tf.numpy_function(augmented, [step, index], (tf.uint8, tf.float32))
        images = tf.ensure_shape(images, (None, *store.shape))
        corners = tf.ensure_shape(corners, (None, 4))
        return images, {"label": tf.gather(labels, index), "bbox": corners}

    return _prefetched(store, indices, read)


def _prefetched(
    store: ImageStore, indices: tf.data.Dataset, read: Callable[..., Any]
) -> tf.data.Dataset:
    # One call at a time, because a second one would wait for the interpreter lock and take a core
    # from training.
    dataset = indices.map(read, num_parallel_calls=1, deterministic=True).prefetch(_PREFETCHED)
    dataset = without_autotuning(dataset)
    dataset.store = store
    return dataset


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return the dataset with fixed buffers and parallel calls.

    The autotuning thread of TensorFlow sleeps twice as long after each check (10 ms up to a
    minute), and closing an iterator waits until it wakes up: seconds after each validation, and
    up to a minute after a training.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
