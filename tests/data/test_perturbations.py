from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.data.boxes import BOX_COLUMNS
from mnist_localization.data.images.store import ANNOTATIONS, ImageStore
from mnist_localization.data.perturbations import (
    CLUTTER_PIECES,
    PerturbedImages,
    add_clutter,
    add_noise,
    change_brightness,
    change_contrast,
    cut_fragments,
    move_object,
    scale_box,
    standard_perturbations,
)
from support.small_stores import SIDE, make_store

FRAGMENT_SIDE = 3  # pixels: 8 % of a side


@pytest.fixture
def square() -> np.ndarray:
    """Draw a square of 10x10 pixels, intensity 200, at x 20..29, y 8..17 of 40x60 pixels."""
    image = np.zeros((40, 60, 1), np.uint8)
    image[8:18, 20:30] = 200
    return image


BOX = np.array([20.0, 8.0, 30.0, 18.0])


def ink_box(image: np.ndarray, above: int = 100) -> list[int]:
    ys, xs = np.nonzero(image[:, :, 0] > above)
    return [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def test_noise_has_the_given_standard_deviation() -> None:
    gray = np.full((200, 200, 1), 128, np.uint8)
    noise = np.random.default_rng(0).standard_normal(gray.shape, dtype=np.float32)
    changed = add_noise(gray, 0.1, noise)
    assert changed.dtype == np.uint8
    assert changed.mean() == pytest.approx(128, abs=0.5)
    assert changed.std() == pytest.approx(25.5, rel=0.02)
    assert (gray == 128).all()


def test_brightness_is_added_and_clipped(square: np.ndarray) -> None:
    changed = change_brightness(square, 0.2)
    assert changed[0, 0, 0] == 51
    assert changed[8, 20, 0] == 251
    assert change_brightness(square, 0.9).max() == 255


def test_contrast_scales_the_differences_from_the_mean(square: np.ndarray) -> None:
    changed = change_contrast(square, 0.5).astype(float)
    assert changed.max() - changed.min() == pytest.approx(100, abs=1)
    assert changed.mean() == pytest.approx(square.mean(), abs=0.5)


@pytest.mark.parametrize("is_inverted", [False, True])
def test_clutter_adds_fragments_and_hides_nothing(square: np.ndarray, is_inverted: bool) -> None:
    fragments = np.full((3, 8, 8, 1), 150, np.uint8)
    if is_inverted:
        square, fragments = 255 - square, 255 - fragments
    given = square.copy()
    changed = add_clutter(square, fragments, np.random.default_rng(1))
    background = given[0, 0, 0]
    assert (abs(changed - float(background)) >= abs(given - float(background))).all()
    added = (changed != given).sum()
    assert 64 < added <= CLUTTER_PIECES * 64
    np.testing.assert_array_equal(square, given)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_a_scaled_object_lies_in_its_scaled_box(square: np.ndarray, factor: float) -> None:
    box = scale_box(BOX, factor, 40, 60)
    np.testing.assert_allclose(box[2:] - box[:2], 10 * factor)
    np.testing.assert_allclose((box[:2] + box[2:]) / 2, [25, 13])
    changed = move_object(square, BOX, box)
    assert ink_box(changed) == pytest.approx(box, abs=0.51)


def test_an_object_moved_to_its_own_box_does_not_change(square: np.ndarray) -> None:
    np.testing.assert_array_equal(move_object(square, BOX, BOX), square)


def test_a_color_object_is_scaled_on_the_background_color() -> None:
    image = np.full((40, 60, 3), (10, 20, 30), np.uint8)
    image[8:18, 20:30] = (200, 0, 100)
    changed = move_object(image, BOX, scale_box(BOX, 0.5, 40, 60))
    assert changed[0, 0].tolist() == [10, 20, 30]
    assert changed[13, 25].tolist() == [200, 0, 100]
    assert changed[8, 20].tolist() == [10, 20, 30]


CORNER = st.floats(0.0, 30.0)


@given(CORNER, CORNER, st.floats(1.0, 10.0), st.floats(1.0, 10.0), st.floats(0.1, 20.0))
def test_a_scaled_box_stays_inside_and_keeps_its_aspect_ratio(
    x: float, y: float, width: float, height: float, factor: float
) -> None:
    box = scale_box(np.array([x, y, x + width, y + height]), factor, 40, 60)
    assert (box >= -1e-9).all()
    assert (box <= np.array([60, 40, 60, 40]) + 1e-9).all()
    sides = box[2:] - box[:2]
    assert sides[0] / sides[1] == pytest.approx(width / height)


@pytest.mark.filterwarnings("error")
@given(
    *(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(1e-12, 1.5), st.floats(1e-12, 1.5)),
    *(st.sampled_from([0.7, 1.0, 1.4]), st.sampled_from([1, 3])),
)
def test_a_box_thinner_than_a_pixel_can_be_scaled(
    x: float, y: float, width: float, height: float, factor: float, channels: int
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (12, 20, channels), np.uint8)
    left, top = x * (20 - width), y * (12 - height)
    # Rounding may leave a box slightly outside the image or without area.
    box = np.array([left, top, left + width, top + height]) * (1 + 1e-12) - 1e-13
    changed = move_object(image, box, scale_box(box, factor, 12, 20))
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("place", [0.0, 0.3, 0.0375, 0.9999])
@pytest.mark.parametrize("thickness", [1e-9, 1e-4, 0.01])
def test_a_split_of_thin_boxes_can_be_perturbed(
    tmp_path: Path, place: float, thickness: float
) -> None:
    store = make_store(tmp_path, count=4, seed=1)
    thin = [place, 0.2, min(1.0, place + thickness), 0.6]
    (path,) = tmp_path.rglob(ANNOTATIONS)
    store.annotations.assign(**dict(zip(BOX_COLUMNS, thin, strict=True))).to_parquet(path)
    store = ImageStore(path.parent)
    fragments = cut_fragments(store, 1)
    assert fragments.shape == (512, FRAGMENT_SIDE, FRAGMENT_SIDE, 1)
    for perturbation in standard_perturbations(fragments):
        images = PerturbedImages(store, perturbation, seed=5)
        assert images.read(np.arange(4)).shape == (4, SIDE, SIDE, 1)
        boxes = images.annotations[["xmin", "ymin", "xmax", "ymax"]].to_numpy()
        assert (boxes[:, :2] <= boxes[:, 2:]).all()


def test_fragments_are_cut_from_the_objects(tmp_path: Path) -> None:
    store = make_store(tmp_path, count=6, seed=1)
    fragments = cut_fragments(store, seed=2)
    assert fragments.shape[1:] == (FRAGMENT_SIDE, FRAGMENT_SIDE, 1)
    assert (fragments.reshape(len(fragments), -1).max(axis=1) >= 150).all()
    np.testing.assert_array_equal(fragments, cut_fragments(store, seed=2))
    assert (fragments != cut_fragments(store, seed=3)).any()


def test_fragments_of_dark_objects_on_light_ground_show_the_objects(tmp_path: Path) -> None:
    store = make_store(tmp_path, count=6, seed=1, is_inverted=True)
    fragments = cut_fragments(store, seed=2)
    assert (fragments.reshape(len(fragments), -1).min(axis=1) <= 105).all()


def test_a_perturbed_image_depends_on_its_row_and_the_seed_only(tmp_path: Path) -> None:
    store = make_store(tmp_path, count=6, seed=1)
    noise = standard_perturbations(cut_fragments(store, 1))[1]
    images = PerturbedImages(store, noise, seed=5)
    all_at_once = images.read(np.arange(6))
    np.testing.assert_array_equal(images.read([4])[0], all_at_once[4])
    assert (all_at_once[0] != PerturbedImages(store, noise, seed=6).read([0])[0]).any()
    # Two images have different noise.
    black = (store.read([0])[0] == 0) & (store.read([1])[0] == 0)
    assert (all_at_once[0][black] != all_at_once[1][black]).any()


def test_every_perturbation_but_the_first_changes_the_images(tmp_path: Path) -> None:
    store = make_store(tmp_path, count=4, seed=1)
    rows = np.arange(4)
    for perturbation in standard_perturbations(cut_fragments(store, 1)):
        images = PerturbedImages(store, perturbation, seed=5)
        is_same = (images.read(rows) == store.read(rows)).all()
        assert is_same == (perturbation.name in ("clean", "scale 1.0")), perturbation.name
        assert len(images) == 4
        moved = not images.annotations.equals(store.annotations)
        assert moved == (perturbation.scale not in (None, 1.0))


def test_scaled_annotations_frame_the_scaled_objects(tmp_path: Path) -> None:
    store = make_store(tmp_path, count=6, seed=1)
    shrunk = standard_perturbations(cut_fragments(store, 1))[6]
    images = PerturbedImages(store, shrunk, seed=5)
    boxes = images.annotations[["xmin", "ymin", "xmax", "ymax"]].to_numpy() * SIDE
    for image, box in zip(images.read(np.arange(6)), boxes, strict=True):
        assert ink_box(image, above=60) == pytest.approx(box, abs=1.0)
