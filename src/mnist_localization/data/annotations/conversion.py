"""Boxes between formats. Keras does the arithmetic; it loads only where there is some."""

import numpy as np
import numpy.typing as npt

from mnist_localization.data.boxes import FloatArray, pixel_corners


def relative_corners(boxes: npt.ArrayLike, box_format: str, sizes: npt.ArrayLike) -> FloatArray:
    """Boxes of any format as relative corners.

    Args:
        boxes: `[n, 4]`, in the format.
        box_format: A format of `keras.utils.bounding_boxes.convert_format`.
        sizes: Height and width of each image in pixels, `[n, 2]`; no matter for formats that
            are relative.

    Returns:
        Corners relative to each image, `[n, 4]`.
    """
    relative = box_format.startswith("rel_")
    corners = _converted(boxes, box_format, "rel_xyxy" if relative else "xyxy")
    if relative:
        return corners
    heights, widths = np.asarray(sizes, dtype=np.float64).reshape(-1, 2).T
    return corners / np.stack([widths, heights, widths, heights], axis=1)


def from_relative_corners(
    corners: npt.ArrayLike, box_format: str, heights: npt.ArrayLike, widths: npt.ArrayLike
) -> FloatArray:
    """Relative corners as boxes of any format: the inverse of `relative_corners`.

    Args:
        corners: Corners relative to each image, `[n, 4]`.
        box_format: As there.
        heights: Rows of each image, pixels, `[n]`.
        widths: Columns of each image, pixels, `[n]`.
    """
    if box_format.startswith("rel_"):
        return _converted(corners, "rel_xyxy", box_format)
    return _converted(pixel_corners(corners, heights, widths), "xyxy", box_format)


def _converted(boxes: npt.ArrayLike, source: str, target: str) -> FloatArray:
    """Boxes between two formats that are both relative or both in pixels."""
    values = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if source == target or not len(values):
        return values
    from mnist_localization import backend  # noqa: F401  # isort: skip
    import keras

    # Sizes of 1: between formats of one kind they scale nothing.
    converted = keras.utils.bounding_boxes.convert_format(
        values, source, target, height=1, width=1, dtype="float64"
    )
    return np.asarray(converted, dtype=np.float64)
