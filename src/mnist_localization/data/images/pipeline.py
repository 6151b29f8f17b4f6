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
# Random keys [n, 2] of images, from `random_keys`.
RandomKeys = npt.NDArray[np.uint32]
# Function from tensors of images, relative boxes and random keys to new images and boxes.
Augmentation = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

# Batches in flight, which bound the memory of a pipeline.
_PREFETCHED = 4


def batches(
    store: ImageStore, batch_size: int, *, shuffle: bool = False, seed: int | None = None
) -> tf.data.Dataset:
    """Stream a split once.

    Args:
        store: The split.
        batch_size: Maximum number of images in a batch; the last batch may be smaller.
        shuffle: Whether each pass shuffles the whole split.
        seed: Seed of the orders.

    Returns:
        Batches `(image, {"label", "bbox"})`: uint8 0..255 `[batch, height, width, channels]`,
        integers `[batch]`, corners relative to the model input `[batch, 4]`. The attribute
        `store` is the store.
    """
    indices = tf.data.Dataset.range(len(store))
    if shuffle:
        indices = indices.shuffle(len(store), seed=seed, reshuffle_each_iteration=True)

    def read_rows(rows: Indices) -> tuple[Pixels, Indices, Boxes]:
        return store.read(rows), store.labels[rows], store.input_boxes[rows]

    def read(rows: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        images, labels, boxes = tf.numpy_function(
            read_rows, [rows], (tf.uint8, tf.int64, tf.float32)
        )
        images = tf.ensure_shape(images, (None, *store.shape))
        return images, _targets(labels, boxes)

    return _prefetched(store, indices.batch(batch_size), read)


def steps_per_epoch(images: int, batch_size: int) -> tuple[int, int]:
    """Return the steps per epoch and a divisor of it to use as `steps_per_execution`.

    TensorFlow runs several steps much faster if it does not return to Python after each, and an
    epoch must end at the end of such an execution. If the number of steps has no suitable divisor,
    it is raised by up to 1 %, which makes each batch a little smaller.

    Args:
        images: Number of images of the split.
        batch_size: Maximum number of images in a batch.

    Example:
        >>> steps_per_epoch(60_000, 32)
        (1875, 5)
        >>> steps_per_epoch(54_001, 128)
        (424, 8)
    """
    steps = math.ceil(images / batch_size)
    # More steps per execution are hardly faster, and would stop the progress bar of slow steps.
    for divisor in range(min(8, steps), 3, -1):
        if steps % divisor == 0:
            return steps, divisor
    for divisor in (8, 4, 2):
        rounded = math.ceil(steps / divisor) * divisor
        if rounded <= min(1.01 * steps, images):
            return rounded, divisor
    return steps, 1


def random_keys(seed: int, epoch: int, rows: Indices) -> RandomKeys:
    """Return random keys that depend on seed, epoch and row alone.

    Seed, epoch and row are hashed with the finalizer of SplitMix64 (Steele et al., 2014), so keys
    do not depend on the order of the rows, the batches they are in, or the number of processes.

    Args:
        seed: Seed of the training.
        epoch: Index of the epoch, from 0.
        rows: Rows of the split, `[n]`.

    Returns:
        `[n, 2]`, distinct for distinct rows.
    """
    state = np.array([seed], np.uint64)
    for value in (np.uint64(epoch), rows.astype(np.uint64)):
        state = _mix_bits(state) + value
    return _mix_bits(state).view(np.uint32).reshape(-1, 2)


def endless_batches(
    store: ImageStore,
    steps: int,
    *,
    seed: int,
    first_epoch: int = 0,
    augmentation: Augmentation | None = None,
    with_random_keys: bool = False,
) -> tf.data.Dataset:
    """Stream a split endlessly, in an order that depends on seed and epoch alone.

    A resumed training therefore sees the images in the same order, and augmented in the same way,
    as one that was never interrupted.

    Args:
        store: The split.
        steps: Number of batches per epoch; their sizes differ by one image at most.
        seed: Seed of order and augmentation.
        first_epoch: Index of the first epoch, from 0.
        augmentation: Function that augments images and boxes, in TensorFlow operations.
        with_random_keys: Whether batches contain the random keys of their images.

    Returns:
        Batches as from `batches`. With random keys, the images are in a dict of `image` and
        `random_key`, uint32 `[batch, 2]`.
    """
    ends = tf.constant(np.arange(steps + 1) * len(store) // steps)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(store), dtype=tf.int64), seed=tf.stack([seed, epoch])
        )
        numbers = tf.data.Dataset.range(steps)
        return numbers.map(lambda number: (epoch, order[ends[number] : ends[number + 1]]))

    def read_rows(epoch: np.int64, rows: Indices) -> tuple[Pixels, Indices, Boxes, RandomKeys]:
        keys = random_keys(seed, int(epoch), rows)
        return store.read(rows), store.labels[rows], store.input_boxes[rows], keys

    def read(epoch: tf.Tensor, rows: tf.Tensor) -> tuple[Any, dict[str, tf.Tensor]]:
        images, labels, boxes, keys = tf.numpy_function(
            read_rows, [epoch, rows], (tf.uint8, tf.int64, tf.float32, tf.uint32)
        )
        images, keys = (
            tf.ensure_shape(images, (None, *store.shape)),
            tf.ensure_shape(keys, (None, 2)),
        )
        targets = _targets(labels, boxes)
        if augmentation is not None:
            images, targets["bbox"] = augmentation(images, targets["bbox"], keys)
        if with_random_keys:
            return {"image": images, "random_key": keys}, targets
        return images, targets

    positions = tf.data.Dataset.counter(start=first_epoch).flat_map(one_epoch)
    return _prefetched(store, positions, read)


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return a dataset that keeps its buffers and parallel calls as configured.

    The autotuning thread of TensorFlow sleeps twice as long after each adjustment (10 ms, 20 ms,
    ... 1 minute), and the end of an iterator waits until it wakes up: seconds after each
    validation, up to a minute after a training.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _targets(labels: tf.Tensor, boxes: tf.Tensor) -> dict[str, tf.Tensor]:
    labels, boxes = tf.ensure_shape(labels, (None,)), tf.ensure_shape(boxes, (None, 4))
    return {"label": labels, "bbox": boxes}


def _prefetched(
    store: ImageStore, indices: tf.data.Dataset, read: Callable[..., Any]
) -> tf.data.Dataset:
    # One call at a time, because a second one waits for the interpreter lock and takes a core
    # from training.
    dataset = indices.map(read, num_parallel_calls=1, deterministic=True).prefetch(_PREFETCHED)
    dataset = without_autotuning(dataset)
    dataset.store = store
    return dataset


def _mix_bits(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return state ^ (state >> np.uint64(31))
