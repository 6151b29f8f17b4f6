import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mnist_localization.data.annotations.box_fitting import (
    CLIPPED,
    SCALED,
    TURNED,
    RowError,
    check_units,
    fit_box,
)
from mnist_localization.data.images.decode import decode_image
from mnist_localization.errors import AnnotationError

ORIENTATION = 0x0112


def write_image(path, width=200, height=100, orientation=1):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.new("L", (width, height)).save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((-0.9, 0, 100, 50), (0.0, 0.0, 0.5, 0.5)),
        ((0, 0, 201.9, 50), (0.0, 0.0, 1.0, 0.5)),
        ((0, 50, 200, 101), (0.0, 0.5, 1.0, 1.0)),
    ],
)
def test_a_box_slightly_outside_is_clipped(tmp_path, box, expected):
    fitted = fit_box(box, "xyxy", write_image(tmp_path / "a.png"), None)
    assert fitted.corners == pytest.approx(expected)
    assert fitted.changes == (CLIPPED,)


@pytest.mark.parametrize(
    "box", [(-3, 0, 100, 50), (0, 0, 203, 50), (200.5, 0, 201.5, 50), (-1, 0, 0.5, 50)]
)
def test_a_box_far_outside_is_refused(tmp_path, box):
    with pytest.raises(RowError, match="leaves the image of 200x100 pixels"):
        fit_box(box, "xyxy", write_image(tmp_path / "a.png"), None)


def test_a_box_is_scaled_from_the_stated_size(tmp_path):
    image = write_image(tmp_path / "a.png")
    fitted = fit_box((100, 50, 200, 100), "xyxy", image, (400, 200))
    assert fitted == ((0.25, 0.25, 0.5, 0.5), (SCALED,))
    with pytest.raises(RowError, match="states 100x200 pixels, but the image has 200x100"):
        fit_box((0, 0, 50, 50), "xyxy", image, (100, 200))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_of_the_stored_image_is_turned_with_it(tmp_path, orientation):
    pixels = np.zeros((40, 80), np.uint8)
    pixels[5:15, 10:50] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path, exif=exif)
    shown = decode_image(path, channels=1, max_mb=1)[:, :, 0]
    rows, columns = np.nonzero(shown)
    expected = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    if orientation >= 5:
        fitted = fit_box((10, 5, 50, 15), "xyxy", path, (80, 40))
        assert fitted.changes == (TURNED,)
        found = np.array(fitted.corners) * ([shown.shape[1], shown.shape[0]] * 2)
        np.testing.assert_allclose(found, expected, atol=1e-9)
    else:
        assert shown.shape == (40, 80)


@pytest.mark.parametrize(
    ("boxes", "box_format", "likely"),
    [
        ([(0.1, 0.1, 0.5, 0.5), (0, 0, 1, 1)], "xyxy", "rel_xyxy"),
        ([(0.5, 0.5, 0.2, 0.2)], "xywh", "rel_xywh"),
        ([(10, 10, 50, 60), (0, 0, 1, 1), (5, 5, 80, 70)], "rel_xyxy", "xyxy, in pixels"),
    ],
)
def test_boxes_of_another_unit_are_an_error(tmp_path, boxes, box_format, likely):
    with pytest.raises(AnnotationError, match=f"probably {likely}"):
        check_units(boxes, box_format, tmp_path)


def test_boxes_of_a_pixel_and_single_outliers_are_accepted(tmp_path):
    check_units([(0, 0, 1, 1)], "xyxy", tmp_path)
    check_units([(0, 0, 1, 1), (0, 0, 0.5, 0.5), (5, 5, 9, 9)], "rel_xyxy", tmp_path)


@given(
    st.tuples(st.floats(0, 0.98), st.floats(0, 0.98)),
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
)
def test_a_fitted_box_is_inside_and_near_the_annotated_one(tmp_path_factory, start, sides):
    box = (*start, start[0] + sides[0], start[1] + sides[1])
    try:
        corners = fit_box(box, "rel_xyxy", tmp_path_factory.getbasetemp() / "none", None).corners
    except RowError:
        assert max(box) > 1.01 or 1 - max(start) < 0.02
    else:
        assert min(corners) >= 0
        assert max(corners) <= 1
        assert np.abs(np.subtract(corners, box)).max() <= 0.01 + 1e-12
