from pathlib import Path

import numpy as np
import pytest

from mnist_localization.config.train import PRESETS
from mnist_localization.data.images.pipeline import endless_batches, random_keys
from mnist_localization.data.images.store import ImageStore
from mnist_localization.training.augmentation import make_augmentation
from support.small_stores import make_store

IMAGES = 30
AUGMENTATION = PRESETS["digits"].model_copy(update={"share": 0.7, "translation": 0.3})
# An image, its box and its random key.
Seen = tuple[bytes, bytes, bytes]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    return make_store(tmp_path_factory.mktemp("store"), IMAGES, 0)


def seen(store: ImageStore, steps: int, epoch: int, first_epoch: int = 0) -> list[Seen]:
    """Return what a training sees in an epoch, in order, if it starts at another epoch."""
    batches = endless_batches(
        store,
        steps,
        seed=5,
        first_epoch=first_epoch,
        augmentation=make_augmentation(store, AUGMENTATION, 5),
        with_random_keys=True,
    )
    found = []
    for inputs, targets in batches.skip((epoch - first_epoch) * steps).take(steps):
        arrays = (inputs["image"], targets["bbox"], inputs["random_key"])
        for image, box, key in zip(*(array.numpy() for array in arrays), strict=True):
            found.append((image.tobytes(), box.tobytes(), key.tobytes()))
    return found


def test_augmented_images_do_not_depend_on_the_batch_size(store: ImageStore) -> None:
    assert seen(store, steps=3, epoch=1) == seen(store, steps=7, epoch=1)


def test_augmented_images_do_not_depend_on_interruptions(store: ImageStore) -> None:
    assert seen(store, steps=3, epoch=2) == seen(store, steps=3, epoch=2, first_epoch=2)


def test_augmented_images_do_not_depend_on_their_order(store: ImageStore) -> None:
    augment = make_augmentation(store, AUGMENTATION, 5)
    assert augment is not None
    rows = np.arange(IMAGES)
    keys = random_keys(5, 1, rows)
    images, boxes = (
        tensor.numpy() for tensor in augment(store.read(rows), store.input_boxes, keys)
    )
    in_order = {
        (image.tobytes(), box.tobytes(), key.tobytes())
        for image, box, key in zip(images, boxes, keys, strict=True)
    }
    assert len(in_order) == IMAGES
    assert set(seen(store, steps=3, epoch=1)) == in_order


def test_images_are_augmented_differently_in_each_epoch(store: ImageStore) -> None:
    assert not set(seen(store, steps=3, epoch=1)) & set(seen(store, steps=3, epoch=2))


def test_random_keys_are_distinct_for_seeds_epochs_and_rows() -> None:
    rows = np.arange(1000)
    keys = [random_keys(seed, epoch, rows) for seed in (0, 1, 20201) for epoch in (0, 1, 2)]
    assert len({key.tobytes() for part in keys for key in part}) == 9000
    np.testing.assert_array_equal(random_keys(1, 2, rows)[[5, 3]], random_keys(1, 2, rows[[5, 3]]))


def test_the_words_of_random_keys_are_uniform() -> None:
    words = random_keys(3, 4, np.arange(20_000)) / 2**32
    counts, _ = np.histogram(words, bins=20, range=(0.0, 1.0))
    assert np.abs(counts / 2000 - 1).max() < 0.1
    assert abs(np.corrcoef(words.T)[0, 1]) < 0.03


def test_batches_without_random_keys_are_plain_images(store: ImageStore, tmp_path: Path) -> None:
    images, targets = next(iter(endless_batches(store, 3, seed=5)))
    assert images.shape == (10, *store.shape)
    assert set(targets) == {"label", "bbox"}
