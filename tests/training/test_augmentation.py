import numpy as np
import pytest

from mnist_localization.config.train import AugmentationSettings
from mnist_localization.data.images.pipeline import random_keys
from mnist_localization.training.augmentation import make_augmentation
from support.small_stores import make_store

OFF = {"noise": 0.0, "brightness": 0.0, "contrast": 0.0, "clutter": False, "scale": 0.0}
ALL = {"noise": 0.3, "brightness": 0.3, "contrast": 0.5, "clutter": True, "scale": 0.5}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), 60, 0)


def augmentation(store, **settings):
    created = make_augmentation(store, AugmentationSettings.model_validate(settings), 5)
    assert created is not None
    return created


def changed(store, epoch=1, **settings):
    """Return images and boxes of all rows, augmented as in an epoch."""
    rows = np.arange(len(store))
    return augmentation(store, **settings)(
        store.read(rows), store.input_boxes, random_keys(5, epoch, rows)
    )


def test_a_share_of_zero_disables_augmentation(store):
    assert (
        make_augmentation(store, AugmentationSettings.model_validate(ALL | {"share": 0}), 5) is None
    )


def test_about_the_share_is_augmented_and_the_rest_is_not_changed_at_all(store):
    images, _ = changed(store, share=0.3, **ALL)
    same = (images == store.read(range(60))).all(axis=(1, 2, 3))
    assert 30 <= same.sum() <= 55


def test_the_random_keys_determine_the_result(store):
    first, second = changed(store, share=1.0, **ALL), changed(store, share=1.0, **ALL)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert (changed(store, epoch=2, share=1.0, **ALL)[0] != first[0]).any()


def test_an_image_is_augmented_alike_in_every_batch(store):
    augment = augmentation(store, share=1.0, **ALL)
    whole, boxes = changed(store, epoch=3, share=1.0, **ALL)
    rows = np.array([59, 7, 30])
    images, corners = augment(store.read(rows), store.input_boxes[rows], random_keys(5, 3, rows))
    np.testing.assert_array_equal(images, whole[rows])
    np.testing.assert_array_equal(corners, boxes[rows])


def test_the_given_arrays_are_not_changed_in_place(store):
    augment = augmentation(store, share=1.0, **ALL)
    rows = np.arange(len(store))
    images, boxes = store.read(rows), store.input_boxes
    augment(images, boxes, random_keys(5, 1, rows))
    np.testing.assert_array_equal(images, store.read(rows))
    np.testing.assert_array_equal(boxes, store.input_boxes)


def test_zero_strengths_change_nothing(store):
    images, boxes = changed(store, share=1.0, **OFF)
    difference = np.abs(images.astype(int) - store.read(range(60)))
    assert difference.max() <= 1  # rounding of the resampling at scale 1
    np.testing.assert_allclose(boxes, store.input_boxes, atol=1e-6)


def test_boxes_follow_the_objects(store):
    images, boxes = changed(store, share=1.0, **OFF | {"scale": 0.5})
    _, height, width, _ = images.shape
    sides = (boxes[:, 2:] - boxes[:, :2]) / (store.input_boxes[:, 2:] - store.input_boxes[:, :2])
    assert (np.abs(np.log(sides)).max(axis=1) > 0.05).sum() >= 10
    assert np.abs(np.log(sides)).max() <= np.log(1.5) + 1e-5
    assert (boxes >= 0).all()
    assert (boxes <= 1).all()
    for image, box in zip(
        images.astype(float), boxes * [width, height, width, height], strict=True
    ):
        rows, columns = np.mgrid[:height, :width] + 0.5
        mass = image[..., 0].sum()
        center = (columns * image[..., 0]).sum() / mass, (rows * image[..., 0]).sum() / mass
        np.testing.assert_allclose(center, (box[:2] + box[2:]) / 2, atol=0.3)
        # The objects of these images are filled squares: as bright as their boxes are large.
        assert mass / image.max() == pytest.approx((box[2:] - box[:2]).prod(), rel=0.1)
