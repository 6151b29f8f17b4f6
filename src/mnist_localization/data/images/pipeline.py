"""Batches of a store as `tf.data`: shuffled over the whole split, read by index."""

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

# Batches in flight: what bounds the memory of a pipeline.
_PREFETCHED = 4


def batches(
    store: ImageStore, batch_size: int, *, shuffle: bool = False, seed: int | None = None
) -> tf.data.Dataset:
    """One pass over a store.

    Args:
        store: The split.
        batch_size: Images a batch; the last one may be smaller.
        shuffle: Whether each pass draws a new order of the whole split.
        seed: Makes the orders repeatable.

    Returns:
        Batches `(image, {"label", "bbox"})`: uint8 0..255 `[batch, height, width, channels]`,
        integer `[batch]`, relative corners `[batch, 4]`. Its attribute `store` is the store.
    """
    indices = tf.data.Dataset.range(len(store))
    if shuffle:
        indices = indices.shuffle(len(store), seed=seed, reshuffle_each_iteration=True)
    return _read(store, indices.batch(batch_size))


def steps_per_epoch(images: int, batch_size: int) -> tuple[int, int]:
    """How many batches an epoch has, and how many of them are a whole part of it.

    TensorFlow goes through a few batches by itself much faster than if it returns to Python
    after each, and an epoch must end where such a run of batches ends. So where their number
    has no suitable divisor, up to a hundredth more batches are made, each a little smaller.

    Args:
        images: Images of the split.
        batch_size: Images a batch, at most.

    Returns:
        Batches an epoch, and a divisor of that number.

    Example:
        >>> steps_per_epoch(60_000, 32)
        (1875, 5)
        >>> steps_per_epoch(54_001, 128)
        (424, 8)
    """
    steps = math.ceil(images / batch_size)
    # More at once would gain little, and let a progress bar of slow steps stand still.
    for together in range(min(8, steps), 3, -1):
        if steps % together == 0:
            return steps, together
    for together in (8, 4, 2):
        rounded = math.ceil(steps / together) * together
        if rounded <= min(1.01 * steps, images):
            return rounded, together
    return steps, 1


def endless_batches(
    store: ImageStore,
    steps: int,
    *,
    seed: int,
    first_epoch: int = 0,
    augmentation: Augmentation | None = None,
) -> tf.data.Dataset:
    """Passes without end, the order of each given by seed and epoch alone.

    So a training that goes on at some epoch sees the images in the order in which an
    undisturbed one would have seen them.

    Args:
        store: The split.
        steps: Batches a pass; their sizes differ by one image at most.
        seed: Seed of the orders.
        first_epoch: Number of the first pass, counted from 0.
        augmentation: Changes images and boxes; its generator is given by seed and step alone.

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
    return _read_changed(store, indices.enumerate(first_epoch * steps), augmentation, seed)


def _read(store: ImageStore, indices: tf.data.Dataset) -> tf.data.Dataset:
    labels, boxes = tf.constant(store.labels), tf.constant(store.input_boxes)

    def read(index: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        images = tf.numpy_function(store.read, [index], tf.uint8)
        images = tf.ensure_shape(images, (None, *store.shape))
        return images, {"label": tf.gather(labels, index), "bbox": tf.gather(boxes, index)}

    return _prefetched(store, indices, read)


def _read_changed(
    store: ImageStore, indices: tf.data.Dataset, augmentation: Augmentation, seed: int
) -> tf.data.Dataset:
    labels, boxes = tf.constant(store.labels), store.input_boxes

    def changed(step: np.int64, index: Indices) -> tuple[Pixels, Boxes]:
        return augmentation(
            store.read(index), boxes[index], np.random.default_rng([seed, int(step)])
        )

    def read(step: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        images, corners = tf.numpy_function(changed, [step, index], (tf.uint8, tf.float32))
        images = tf.ensure_shape(images, (None, *store.shape))
        corners = tf.ensure_shape(corners, (None, 4))
        return images, {"label": tf.gather(labels, index), "bbox": corners}

    return _prefetched(store, indices, read)


def _prefetched(
    store: ImageStore, indices: tf.data.Dataset, read: Callable[..., Any]
) -> tf.data.Dataset:
    # One call at a time: a second would wait for the interpreter, and take a core from training.
    dataset = indices.map(read, num_parallel_calls=1, deterministic=True).prefetch(_PREFETCHED)
    dataset = without_autotuning(dataset)
    dataset.store = store
    return dataset


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same dataset, its buffers and parallel calls as they are set.

    TensorFlow's tuning sleeps for twice as long after each look (10 ms, 20 ms, ... a minute),
    and whoever is done with an iterator waits until it wakes: seconds after each validation,
    up to a minute after a training.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
