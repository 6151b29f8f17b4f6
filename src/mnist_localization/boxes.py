"""Arithmetic of boxes in NumPy: relative corners `xmin, ymin, xmax, ymax` in [0, 1]."""

import numpy as np
import numpy.typing as npt

BOX_COLUMNS = ("xmin", "ymin", "xmax", "ymax")
PREDICTED_BOX_COLUMNS = tuple(f"pred_{name}" for name in BOX_COLUMNS)
RAW_BOX_COLUMNS = tuple(f"raw_{name}" for name in BOX_COLUMNS)

FloatArray = npt.NDArray[np.float64]


def paired_iou(boxes: npt.ArrayLike, others: npt.ArrayLike) -> FloatArray:
    """Intersection over union of each box with its partner (Jaccard index of their areas).

    Args:
        boxes: Corners, `[n, 4]`.
        others: Corners, `[n, 4]`.

    Returns:
        IoU in [0, 1], `[n]`; 0 where the union has no area.
    """
    a = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    b = np.asarray(others, dtype=np.float64).reshape(-1, 4)
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    intersection = np.prod(np.clip(sides, 0.0, None), axis=1)
    union = _area(a) + _area(b) - intersection
    iou: FloatArray = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    # Rounding may give a box and itself a hair more than 1.
    return np.minimum(iou, 1.0)


def pixel_corners(boxes: npt.ArrayLike, height: int, width: int) -> FloatArray:
    """Relative corners `[n, 4]` as corners in pixels: 0.53 of a width of 100 is 53.0."""
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return corners * np.array([width, height, width, height], dtype=np.float64)


def whole_pixels(corners: npt.ArrayLike) -> FloatArray:
    """Pixel corners at the nearest whole pixel; halves go up, so equal inputs stay equal."""
    return np.floor(np.asarray(corners, dtype=np.float64) + 0.5)


def confined(boxes: npt.ArrayLike) -> FloatArray:
    """Boxes inside the image, with their corners in order.

    Corners outside [0, 1] move to the border. A box whose corners are in the wrong order
    encloses nothing: its two sides meet half-way, so that it has no area and an IoU of 0,
    which is also what the order of the corners says.

    Args:
        boxes: Corners, `[n, 4]`, finite.

    Returns:
        Corners, `[n, 4]`, in [0, 1] and ordered.
    """
    inside = np.clip(np.asarray(boxes, dtype=np.float64).reshape(-1, 4), 0.0, 1.0)
    low, high = inside[:, :2], inside[:, 2:]
    middle = (low + high) / 2
    inverted = low > high
    return np.hstack([np.where(inverted, middle, low), np.where(inverted, middle, high)])


def _area(boxes: FloatArray) -> FloatArray:
    area: FloatArray = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None), axis=1)
    return area
