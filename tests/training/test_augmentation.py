"""Augmentation of training images."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mnist_localization.config.train import PRESETS, AugmentationSettings
from mnist_localization.data.images.pipeline import endless_batches, random_keys
from mnist_localization.training import affine, image_changes
from mnist_localization.training.augmentation import keyed_uniform, make_augmentation
from support.small_stores import make_store

DIGITS, PHOTOS, NONE = (PRESETS[name] for name in ("digits", "photos", "none"))
ALL = DIGITS.model_copy(update={"share": 1.0})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), 60, 0)


def changed(store, settings: AugmentationSettings, epoch=1, rows=None):
    """Return images and boxes of some or all rows, augmented as in an epoch."""
    rows = np.arange(len(store)) if rows is None else rows
    augment = make_augmentation(store, settings, 5)
    assert augment is not None
    given = store.read(rows), store.input_boxes[rows], random_keys(5, epoch, rows)
    return tuple(tensor.numpy() for tensor in augment(*given))


def only(**strengths) -> AugmentationSettings:
    return NONE.model_copy(update=strengths)


def painted_box(image: np.ndarray, above: float) -> np.ndarray:
    ys, xs = np.nonzero(image[:, :, 0] > above)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], float)


# --- which images are augmented -------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [NONE, DIGITS.model_copy(update={"share": 0.0})])
def test_a_share_or_strengths_of_zero_disable_augmentation(store, nothing):
    assert make_augmentation(store, nothing, 5) is None


def test_about_the_share_is_augmented_and_the_rest_keeps_its_bits(store):
    images, boxes = changed(store, PHOTOS.model_copy(update={"share": 0.3}))
    same = (images == store.read(range(60))).all(axis=(1, 2, 3))
    assert 35 <= same.sum() <= 50
    np.testing.assert_array_equal(boxes[same], store.input_boxes[same])
    assert (boxes[~same] != store.input_boxes[~same]).any(axis=1).all()


def test_the_random_keys_determine_the_result(store):
    first, second = changed(store, ALL), changed(store, ALL)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert (changed(store, ALL, epoch=2)[0] != first[0]).any()


@pytest.mark.parametrize("preset", [ALL, PHOTOS])
def test_an_image_is_augmented_alike_in_every_batch(store, preset):
    whole, boxes = changed(store, preset, epoch=3)
    for rows in ([59, 7, 30], [7], [0, 7]):
        images, corners = changed(store, preset, epoch=3, rows=np.array(rows))
        np.testing.assert_array_equal(images, whole[rows])
        np.testing.assert_array_equal(corners, boxes[rows])


def test_a_batch_in_which_no_image_is_chosen_passes(store):
    images, boxes = changed(store, PHOTOS.model_copy(update={"share": 1e-7}))
    np.testing.assert_array_equal(images, store.read(range(60)))
    np.testing.assert_array_equal(boxes, store.input_boxes)


def test_batches_of_the_pipeline_are_augmented_under_deterministic_operations(store):
    tf.config.experimental.enable_op_determinism()
    augment = make_augmentation(store, PHOTOS, 5)
    batches = endless_batches(store, 4, seed=5, augmentation=augment)
    seen = [batch["bbox"].numpy() for _, batch in batches.take(4)]
    images = [image.numpy() for image, _ in batches.take(4)]
    assert [image.shape for image in images] == [(15, *store.shape)] * 4
    again = [image.numpy() for image, _ in batches.take(4)]
    np.testing.assert_array_equal(images, again)
    expected = changed(store, PHOTOS, epoch=0)[1]
    assert sorted(map(tuple, np.concatenate(seen))) == sorted(map(tuple, expected))


def test_changes_that_are_not_combined_exclude_each_other(store):
    scaled = cluttered = 0
    for epoch in range(8):
        images, boxes = changed(store, only(scale=0.5, clutter=8, combine=False), epoch)
        moved = (boxes != store.input_boxes).any(axis=1)
        other = (images != store.read(range(60))).any(axis=(1, 2, 3))
        scaled, cluttered = scaled + moved.sum(), cluttered + (other & ~moved).sum()
    assert scaled / 480 == pytest.approx(0.4, abs=0.07)
    assert cluttered / 480 == pytest.approx(0.3, abs=0.07)


def test_uniform_numbers_of_keys_are_uniform_and_independent():
    keys = random_keys(3, 4, np.arange(4000))
    numbers = keyed_uniform(tf.constant(keys), 6).numpy()
    assert 0 <= numbers.min() < 0.001
    assert 0.999 < numbers.max() < 1
    counts, _ = np.histogram(numbers, bins=20, range=(0.0, 1.0))
    assert np.abs(counts / 1200 - 1).max() < 0.12
    assert np.abs(np.corrcoef(numbers.T) - np.eye(6)).max() < 0.06
    np.testing.assert_array_equal(keyed_uniform(tf.constant(keys[5:7]), 6), numbers[5:7])


@pytest.mark.parametrize("limit", [2, 93, 512, 100_003])
def test_uniform_integers_stay_below_the_limit(limit):
    largest = np.nextafter(np.float32(1), np.float32(0))
    drawn = image_changes.to_integers(tf.constant([0.0, 0.5, largest]), limit)
    assert drawn.numpy().tolist() == [0, limit // 2, limit - 1]


# --- geometry -------------------------------------------------------------------------------------

HEIGHT, WIDTH = 40, 60
STRENGTHS = st.builds(
    only,
    flip=st.sampled_from([0.0, 0.5, 1.0]),
    translation=st.sampled_from([0.0, 0.1, 1.0]),
    scale=st.sampled_from([0.0, 0.3, 1.0]),
)
SIDES = st.tuples(st.integers(8, 30), st.integers(8, 30))
PLACES = st.tuples(st.floats(0, 1), st.floats(0, 1))
NUMBERS = st.lists(
    st.floats(0, 1, exclude_max=True, width=32),
    min_size=affine.RANDOM_NUMBERS,
    max_size=affine.RANDOM_NUMBERS,
)


def painted(sides, place, light, dark) -> tuple[np.ndarray, np.ndarray]:
    """Paint a filled rectangle, and return the image and the relative box."""
    left, top = (int(share * (room - side)) for share, room, side in zip(
        place, (WIDTH, HEIGHT), sides, strict=True
    ))  # fmt: skip
    image = np.full((1, HEIGHT, WIDTH, 1), dark, np.uint8)
    image[:, top : top + sides[1], left : left + sides[0]] = light
    corners = np.array([[left, top, left + sides[0], top + sides[1]]])
    return image, (corners / [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype(np.float32)


def transformed(image, box, numbers, strengths) -> tuple[np.ndarray, np.ndarray]:
    """Return the transformed image, and its box in pixels."""
    random = tf.constant([numbers], tf.float32)
    maps = affine.draw_maps(tf.constant(box), random, strengths, HEIGHT, WIDTH)
    is_parallel = not (strengths.rotation or strengths.shear)
    moved = affine.transform_images(tf.constant(image), maps, axis_parallel=is_parallel).numpy()
    corners = affine.transform_boxes(maps).numpy()[0].astype(float)
    assert (corners >= 0).all()
    assert (corners <= 1).all()
    return moved[0], corners * [WIDTH, HEIGHT, WIDTH, HEIGHT]


@settings(deadline=None)
@given(SIDES, PLACES, NUMBERS, STRENGTHS, st.sampled_from([(230, 10), (20, 240)]))
@example((21, 21), (0.0, 0.0), [0.0] * 6, only(scale=1.0), (230, 10))
def test_a_painted_rectangle_and_its_box_move_together(sides, place, numbers, strengths, tones):
    light, dark = tones
    image, box = painted(sides, place, light, dark)
    moved, corners = transformed(image, box, numbers, strengths)
    coverage = (moved.astype(float) - dark) / (light - dark)
    np.testing.assert_allclose(painted_box(coverage, above=0.4), corners, atol=0.75)
    width, height = corners[2:] - corners[:2]
    # Sampled edges make a side up to half a pixel longer or shorter; 0.2 is for rounded tones.
    tolerance = 0.5 * (width + height) + 0.25 + 0.2
    assert coverage.sum() == pytest.approx(width * height, abs=tolerance)


@settings(deadline=None)
@given(SIDES, PLACES, NUMBERS, STRENGTHS, st.sampled_from([0, 5, 45, 180]), st.integers(0, 30))
def test_a_turned_rectangle_lies_within_its_box(sides, place, numbers, strengths, rotation, shear):
    strengths = strengths.model_copy(update={"rotation": float(rotation), "shear": float(shear)})
    image, box = painted(sides, place, 230, 10)
    moved, corners = transformed(image, box, numbers, strengths)
    found = painted_box(moved, above=120)
    assert (found[:2] >= corners[:2] - 1).all()
    assert (found[2:] <= corners[2:] + 1).all()
    assert (corners[2:] - corners[:2] > 0.5).all()


@settings(deadline=None)
@given(SIDES, PLACES)
def test_a_map_without_strengths_is_exact(sides, place):
    image, box = painted(sides, place, 230, 10)
    for rotation in (0.0, 5.0):
        strengths = only(flip=1.0, rotation=rotation)
        numbers = [0.0, 0.0, 0.5, 0.0, 0.0, 0.0]
        once, corners = transformed(image, box, numbers, strengths)
        # Flipped around the center of the box, a rectangle is the same.
        np.testing.assert_array_equal(once, image[0])
        np.testing.assert_allclose(corners, box[0] * [WIDTH, HEIGHT, WIDTH, HEIGHT], atol=1e-4)


def test_a_flip_mirrors_the_content_of_the_box():
    image, box = painted((10, 8), (0.5, 0.5), 200, 10)
    left, top = (box[0, :2] * [WIDTH, HEIGHT]).round().astype(int)
    image[0, top, left] = 90
    moved, _ = transformed(image, box, [0.0] * 4 + [0.5] * 2, only(flip=1.0))
    assert moved[top, left + 9, 0] == 90
    assert moved[top, left, 0] == 200


def test_a_full_translation_reaches_every_place_at_which_the_box_is_inside(store):
    keys = random_keys(1, 0, np.arange(500))
    box = np.tile(np.array([[0.1, 0.5, 0.3, 0.9]], np.float32), (500, 1))
    numbers = keyed_uniform(tf.constant(keys), affine.RANDOM_NUMBERS)
    maps = affine.draw_maps(box, numbers, only(translation=1.0), HEIGHT, WIDTH)
    corners = affine.transform_boxes(maps).numpy()
    np.testing.assert_allclose(corners[:, 2:] - corners[:, :2], [[0.2, 0.4]] * 500, atol=1e-5)
    assert corners.min(axis=0)[:2] == pytest.approx([0, 0], abs=0.02)
    assert corners.max(axis=0)[2:] == pytest.approx([1, 1], abs=0.02)
    assert corners[:, 0].mean() == pytest.approx(0.4, abs=0.03)


def test_scaled_boxes_frame_the_objects_of_a_store(store):
    images, boxes = changed(store, only(scale=0.5))
    sides = (boxes[:, 2:] - boxes[:, :2]) / (store.input_boxes[:, 2:] - store.input_boxes[:, :2])
    assert np.abs(np.log(sides)).max() == pytest.approx(np.log(1.5), abs=0.05)
    for image, box in zip(images, boxes * store.shape[0], strict=True):
        np.testing.assert_allclose(painted_box(image, above=90), box, atol=0.75)


# --- pixels ---------------------------------------------------------------------------------------

GRAY = np.full((40, 30, 30, 1), 120, np.uint8)
RANDOM = keyed_uniform(tf.constant(random_keys(7, 0, np.arange(40))), 48)
LINES = tf.constant(np.random.default_rng(0).standard_normal((256, 30), np.float32))


def test_noise_has_the_largest_standard_deviation_at_most():
    noisy = image_changes.add_noise(GRAY, RANDOM[:, :31], 0.1, LINES).numpy()
    deviations = noisy.std(axis=(1, 2, 3))
    np.testing.assert_allclose(deviations, RANDOM[:, 0] * 25.5, rtol=0.15, atol=0.6)
    assert (noisy[0] != noisy[1]).any()


def test_brightness_is_added_and_clipped():
    bright = image_changes.change_light(GRAY, RANDOM[:, :5], (0.2, 0.0, 0.0), combine=False).numpy()
    assert (bright.std(axis=(1, 2, 3)) == 0).all()
    means = bright.mean(axis=(1, 2, 3))
    assert 69 <= means.min() < 80
    assert 160 < means.max() <= 171
    full = image_changes.change_light(GRAY, RANDOM[:, :5], (1.0, 0.0, 0.0), combine=False).numpy()
    assert (full.min(), full.max()) == (0, 255)


def test_contrast_is_reduced_around_the_mean():
    image = np.where(np.arange(30) < 15, 60, 180).astype(np.uint8)
    images = np.broadcast_to(image[None, None, :, None], GRAY.shape)
    light = image_changes.change_light(images, RANDOM[:, :5], (0.0, 0.6, 0.0), combine=False)
    values = light.numpy().astype(float)
    np.testing.assert_allclose(values.mean(axis=(1, 2, 3)), 120, atol=0.6)
    ranges = values.max(axis=(1, 2, 3)) - values.min(axis=(1, 2, 3))
    assert 48 <= ranges.min() < 60
    assert 110 < ranges.max() <= 120


def test_each_image_gets_one_change_of_light_unless_they_are_combined():
    image = np.where(np.arange(30) < 15, 60, 180).astype(np.uint8)
    images = np.broadcast_to(image[None, None, :, None], GRAY.shape)
    counts = {}
    for combine in (False, True):
        light = image_changes.change_light(images, RANDOM[:, :5], (0.2, 0.6, 0.0), combine=combine)
        values = light.numpy().astype(float)
        brighter = np.abs(values.mean(axis=(1, 2, 3)) - 120) > 1
        flatter = np.ptp(values, axis=(1, 2, 3)) < 118
        counts[combine] = (brighter & flatter).sum()
    assert counts[False] == 0
    assert counts[True] > 30


def test_colors_keep_grays_and_change_only_color_images(store):
    random = RANDOM[:, :5]
    gray = np.repeat(GRAY, 3, axis=3)
    same = image_changes.change_light(gray, random, (0.0, 0.0, 0.5), combine=True).numpy()
    assert np.abs(same - gray.astype(int)).max() <= 1
    red = np.broadcast_to(np.array([200, 60, 60], np.uint8), gray.shape)
    changed_colors = image_changes.change_light(red, random, (0.0, 0.0, 0.5), combine=True).numpy()
    colors = np.unique(changed_colors.reshape(-1, 3), axis=0)
    assert len(colors) == 40
    assert (colors.argmax(axis=1) == 0).mean() > 0.9  # still red
    assert make_augmentation(store, only(color=0.5), 5) is None


def test_a_blur_keeps_the_mean_and_lowers_the_contrast():
    edges = np.zeros((40, 30, 30, 1), np.uint8)
    edges[:, 10:20, 10:20] = 200
    blurred = image_changes.blur(edges, RANDOM[:, :1], 2.0).numpy().astype(float)
    np.testing.assert_allclose(blurred.mean(axis=(1, 2, 3)), edges[0].mean(), rtol=0.03)
    steps = np.abs(np.diff(blurred[:, 15, :, 0], axis=1)).max(axis=1)
    order = np.argsort(RANDOM[:, 0])
    assert steps[order[0]] > 190
    assert steps[order[-1]] < 60
    plain = image_changes.blur(GRAY, RANDOM[:, :1], 2.0).numpy()
    np.testing.assert_array_equal(plain, GRAY)


@pytest.mark.parametrize(("ground", "ink"), [(0, 200), (250, 30)])
def test_clutter_hides_no_object_on_dark_and_on_light_backgrounds(ground, ink):
    images = np.full((40, 30, 30, 1), ground, np.uint8)
    images[:, 8:20, 10:22] = ink
    fragments = np.full((7, 4, 4, 1), ground, np.uint8)
    fragments[:, 1:3] = ink
    cluttered = image_changes.add_clutter(images, RANDOM[:, :24], tf.constant(fragments)).numpy()
    differs = cluttered != images
    assert (cluttered[:, 8:20, 10:22] == ink).all()
    assert set(np.unique(cluttered)) == {ground, ink}
    counts = differs.sum(axis=(1, 2, 3))
    assert 0 < counts.max() <= 8 * 8
    assert counts.mean() > 20


def test_a_cutout_covers_at_most_its_share_of_the_box():
    images = GRAY.copy()
    images[:, 5:25, 5:25] = 220
    boxes = np.tile(np.array([[5, 5, 25, 25]], np.float32) / 30, (40, 1))
    erased = image_changes.cut_out(images, tf.constant(boxes), RANDOM[:, :4], 0.5).numpy()
    counts = (erased != images).sum(axis=(1, 2, 3))
    assert 60 < counts.max() <= 12 * 12
    assert set(np.unique(erased)) == {120, 220}


# --- presets --------------------------------------------------------------------------------------


def test_digits_are_neither_flipped_nor_turned():
    off = (DIGITS.flip, DIGITS.rotation, DIGITS.shear, DIGITS.color, DIGITS.cutout, DIGITS.blur)
    assert not any(off)
    strengths = (DIGITS.share, DIGITS.scale, DIGITS.noise, DIGITS.brightness, DIGITS.contrast)
    assert strengths == (0.2, 0.5, 0.2, 0.25, 0.6)


def test_the_preset_none_has_no_strength_and_single_parameters_turn_changes_on(store):
    assert not any(
        value for key, value in NONE.model_dump(exclude={"preset", "share", "combine"}).items()
    )
    images, boxes = changed(store, only(blur=1.0))
    assert (images != store.read(range(60))).any()
    np.testing.assert_array_equal(boxes, store.input_boxes)


def test_photos_change_image_and_box_of_almost_every_image(store):
    images, boxes = changed(store, PHOTOS)
    assert (boxes != store.input_boxes).any(axis=1).sum() >= 48
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert images.dtype == np.uint8
