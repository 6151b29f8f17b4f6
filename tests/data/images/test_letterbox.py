import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.data.images.letterbox import (
    compute_placements,
    fit_into_input,
    to_input_frame,
    to_original_frame,
)

sides = st.integers(1, 5000)
corner = st.floats(0, 1)


@given(sides, sides, sides, sides, st.lists(corner, min_size=4, max_size=4))
def test_boxes_transform_to_the_input_frame_and_back(rows, columns, height, width, box):
    placed = compute_placements(rows, columns, height, width)
    there = to_input_frame([box], placed)
    # The precision is relative to the placed size, which may be one pixel of many.
    scale = placed[0, 2:].min()
    np.testing.assert_allclose(to_original_frame(there, placed)[0], box, atol=4e-16 / scale)
    assert there.min() >= 0
    assert there.max() <= 1 + 1e-12


@given(sides, sides, st.lists(corner, min_size=4, max_size=4))
def test_boxes_of_an_image_of_the_input_size_do_not_change(height, width, box):
    placed = compute_placements(height, width, height, width)
    np.testing.assert_array_equal(placed, [[0, 0, 1, 1]])
    np.testing.assert_array_equal(to_input_frame([box], placed), [box])
    np.testing.assert_array_equal(to_original_frame([box], placed), [box])


@given(sides, sides, sides, sides)
def test_an_image_is_centered_and_keeps_its_aspect_ratio(rows, columns, height, width):
    left, top, wide, high = compute_placements(rows, columns, height, width)[0] * [
        *(width, height, width, height)
    ]
    assert wide == pytest.approx(width) or high == pytest.approx(height)
    assert 0 <= left <= (width - wide) / 2 + 1e-6
    assert 0 <= top <= (height - high) / 2 + 1e-6
    scale = min(height / rows, width / columns)
    assert abs(wide - columns * scale) <= 1
    assert abs(high - rows * scale) <= 1


def test_each_size_has_its_own_placement():
    found = compute_placements([50, 100, 10], [100, 100, 40], 100, 100)
    expected = np.array([[0, 0.25, 1, 0.5], [0, 0, 1, 1], [0, 0.37, 1, 0.25]])
    assert found == pytest.approx(expected, rel=1e-7)


def test_an_image_of_the_input_size_is_returned_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    assert fit_into_input(image, 30, 40) is image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("rows", "columns"), [(20, 60), (60, 20), (120, 200), (1, 300)])
def test_pixels_are_at_the_placement(rows, columns, channels):
    image = np.full((rows, columns, channels), 200, np.uint8)
    found = fit_into_input(image, 48, 64, background=7)
    assert found.shape == (48, 64, channels)
    placed = compute_placements(rows, columns, 48, 64)[0] * [64, 48, 64, 48]
    left, top, wide, high = np.rint(placed).astype(int)
    inside = np.zeros((48, 64), bool)
    inside[top : top + high, left : left + wide] = True
    assert set(found[inside].ravel()) == {200}
    assert set(found[~inside].ravel()) <= {7}


@pytest.mark.parametrize(("rows", "columns"), [(30, 90), (200, 100), (77, 131)])
def test_a_box_covers_the_same_pixels_after_letterboxing(rows, columns):
    image = np.zeros((rows, columns, 1), np.uint8)
    box = np.array([0.3, 0.2, 0.8, 0.7])
    left, top, right, bottom = np.rint(box * [columns, rows, columns, rows]).astype(int)
    image[top:bottom, left:right] = 255
    exact = np.array([left, top, right, bottom]) / [columns, rows, columns, rows]
    found = fit_into_input(image, 64, 96)[..., 0] > 127
    there = to_input_frame([exact], compute_placements(rows, columns, 64, 96))[0] * [96, 64, 96, 64]
    lit_rows, lit_columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    seen = [lit_columns[0], lit_rows[0], lit_columns[-1] + 1, lit_rows[-1] + 1]
    np.testing.assert_allclose(seen, there, atol=1.0)
