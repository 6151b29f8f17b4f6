import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mnist_localization.data.boxes import (
    centers_of_mass,
    clip_boxes,
    from_relative_corners,
    paired_iou,
    pixel_corners,
    relative_corners,
    typical_size,
    whole_pixels,
)

UNIT = st.floats(0.0, 1.0, width=32)
FORMATS = [
    *("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw"),
    *("rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh"),
]
HEIGHTS, WIDTHS = np.array([40, 90, 1, 33, 200]), np.array([80, 30, 1, 77, 210])


def ordered_boxes() -> st.SearchStrategy[np.ndarray]:
    def order(corners: np.ndarray) -> np.ndarray:
        pairs = np.sort(corners.reshape(-1, 2, 2), axis=1)
        return pairs.reshape(-1, 4)

    return hnp.arrays(np.float64, (5, 4), elements=UNIT).map(order)


@given(ordered_boxes(), st.sampled_from(FORMATS))
def test_conversion_to_any_format_and_back_returns_the_same_corners(
    corners: np.ndarray, box_format: str
) -> None:
    boxes = from_relative_corners(corners, box_format, HEIGHTS, WIDTHS)
    back = relative_corners(boxes, box_format, HEIGHTS, WIDTHS)
    np.testing.assert_allclose(back, corners, atol=1e-14)


@pytest.mark.parametrize("box_format", FORMATS)
def test_conversion_agrees_with_keras(box_format: str) -> None:
    import keras

    corners = np.sort(np.random.default_rng(0).random((50, 2, 2)), axis=1).reshape(-1, 4)
    expected = keras.utils.bounding_boxes.convert_format(
        corners, "rel_xyxy", box_format, height=40, width=80, dtype="float64"
    )
    boxes = from_relative_corners(corners, box_format, 40, 80)
    np.testing.assert_allclose(boxes, np.asarray(expected), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(relative_corners(boxes, box_format, 40, 80), corners, atol=1e-14)


@pytest.mark.parametrize("box_format", FORMATS)
def test_conversion_of_no_boxes_gives_no_boxes(box_format: str) -> None:
    assert relative_corners([], box_format, [], []).shape == (0, 4)
    assert from_relative_corners([], box_format, [], []).shape == (0, 4)


@given(ordered_boxes(), ordered_boxes())
def test_iou_is_symmetric_and_between_zero_and_one(boxes: np.ndarray, others: np.ndarray) -> None:
    iou = paired_iou(boxes, others)
    np.testing.assert_array_equal(iou, paired_iou(others, boxes))
    assert ((iou >= 0) & (iou <= 1 + 1e-12)).all()


@given(ordered_boxes())
def test_iou_of_a_box_with_itself_is_one_if_it_has_an_area(boxes: np.ndarray) -> None:
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    np.testing.assert_allclose(paired_iou(boxes, boxes), (area > 0).astype(float))


@given(ordered_boxes(), ordered_boxes(), st.integers(-64, 64), st.integers(-64, 64))
def test_iou_does_not_change_when_both_boxes_move(
    boxes: np.ndarray, others: np.ndarray, right: int, down: int
) -> None:
    # On a grid of 1/128 the shift is exact, so the comparison needs no tolerance for tiny boxes.
    boxes, others = np.round(boxes * 128), np.round(others * 128)
    shift = np.array([right, down, right, down], dtype=float)
    np.testing.assert_allclose(
        paired_iou(boxes + shift, others + shift), paired_iou(boxes, others), atol=1e-12
    )


def test_iou_of_known_boxes() -> None:
    frame = [0.2, 0.2, 0.48, 0.48]
    others = [[0.21, 0.2, 0.49, 0.48], [0.48, 0.2, 0.76, 0.48], [0.3, 0.3, 0.3, 0.3]]
    expected = [27 / 29, 0.0, 0.0]
    np.testing.assert_allclose(paired_iou([frame] * 3, others), expected, atol=1e-12)


def test_pixel_corners_scale_x_by_the_width_and_y_by_the_height() -> None:
    assert pixel_corners([[0.53, 0.1, 0.81, 0.5]], height=50, width=100).tolist() == [
        [53.0, 5.0, 81.0, 25.0]
    ]


def test_whole_pixels_round_halves_up() -> None:
    assert whole_pixels([0.5, 1.5, 2.49, 13.5]).tolist() == [1.0, 2.0, 2.0, 14.0]


@given(hnp.arrays(np.float64, (5, 4), elements=st.floats(-3, 3)))
def test_clipped_boxes_are_ordered_and_inside_the_image(boxes: np.ndarray) -> None:
    result = clip_boxes(boxes)
    assert ((result >= 0) & (result <= 1)).all()
    assert (result[:, :2] <= result[:, 2:]).all()
    np.testing.assert_array_equal(clip_boxes(result), result)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]),
        ([-0.1, 0.2, 1.3, 0.4], [0.0, 0.2, 1.0, 0.4]),
        ([0.5, 0.2, 0.3, 0.4], [0.4, 0.2, 0.4, 0.4]),
    ],
)
def test_clipping_keeps_good_corners_and_empties_inverted_boxes(
    box: list[float], expected: list[float]
) -> None:
    np.testing.assert_allclose(clip_boxes([box])[0], expected)


def test_a_size_is_typical_if_most_boxes_have_it() -> None:
    boxes = np.array([[0.1, 0.1, 0.3, 0.4], [0.5, 0.2, 0.7, 0.5], [0.0, 0.0, 0.9, 0.9]])
    assert typical_size(boxes) == pytest.approx((0.2, 0.3))
    boxes[1, 2] = 0.8
    assert typical_size(boxes) is None


def test_the_center_of_mass_is_the_mean_index_weighted_by_intensity() -> None:
    images = np.zeros((3, 6, 10, 1), np.uint8)
    images[0, 2, 7] = 200
    images[1, 1, 2], images[1, 1, 6] = 30, 10
    assert centers_of_mass(images).tolist() == [[7.0, 2.0], [3.0, 1.0], [5.0, 3.0]]
