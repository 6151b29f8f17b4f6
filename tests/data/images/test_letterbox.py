import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.data.images import into_input, into_original, letterboxed, placements

sides = st.integers(1, 5000)
corner = st.floats(0, 1)


@given(sides, sides, sides, sides, st.lists(corner, min_size=4, max_size=4))
def test_boxes_travel_there_and_back(rows, columns, height, width, box):
    placed = placements(rows, columns, height, width)
    there = into_input([box], placed)
    # A very thin image is placed on one pixel of many: float precision, relative to that.
    scale = placed[0, 2:].min()
    np.testing.assert_allclose(into_original(there, placed)[0], box, atol=4e-16 / scale)
    assert there.min() >= 0
    assert there.max() <= 1 + 1e-12


@given(sides, sides, st.lists(corner, min_size=4, max_size=4))
def test_an_image_of_the_inputs_size_keeps_its_box_to_the_bit(height, width, box):
    placed = placements(height, width, height, width)
    np.testing.assert_array_equal(placed, [[0, 0, 1, 1]])
    np.testing.assert_array_equal(into_input([box], placed), [box])
    np.testing.assert_array_equal(into_original([box], placed), [box])


@given(sides, sides, sides, sides)
def test_an_image_is_placed_whole_in_the_middle_with_its_aspect_ratio(rows, columns, height, width):
    left, top, wide, high = placements(rows, columns, height, width)[0] * [
        *(width, height, width, height)
    ]
    assert wide == pytest.approx(width) or high == pytest.approx(height)
    assert 0 <= left <= (width - wide) / 2 + 1e-6
    assert 0 <= top <= (height - high) / 2 + 1e-6
    scale = min(height / rows, width / columns)
    assert abs(wide - columns * scale) <= 1
    assert abs(high - rows * scale) <= 1


def test_sizes_that_differ_have_placements_of_their_own():
    found = placements([50, 100, 10], [100, 100, 40], 100, 100)
    np.testing.assert_allclose(found, [[0, 0.25, 1, 0.5], [0, 0, 1, 1], [0, 0.37, 1, 0.25]])


def test_an_image_of_the_inputs_size_stays_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    assert letterboxed(image, 30, 40) is image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("rows", "columns"), [(20, 60), (60, 20), (120, 200), (1, 300)])
def test_pixels_lie_where_the_placement_says(rows, columns, channels):
    image = np.full((rows, columns, channels), 200, np.uint8)
    found = letterboxed(image, 48, 64, background=7)
    assert found.shape == (48, 64, channels)
    placed = placements(rows, columns, 48, 64)[0] * [64, 48, 64, 48]
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
    found = letterboxed(image, 64, 96)[..., 0] > 127
    there = into_input([exact], placements(rows, columns, 64, 96))[0] * [96, 64, 96, 64]
    lit_rows, lit_columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    seen = [lit_columns[0], lit_rows[0], lit_columns[-1] + 1, lit_rows[-1] + 1]
    np.testing.assert_allclose(seen, there, atol=1.0)
