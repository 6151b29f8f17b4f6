"""Arithmetic of boxes in NumPy: relative corners `xmin, ymin, xmax, ymax` in [0, 1]."""

import numpy as np
import numpy.typing as npt
import pandas as pd

BOX_COLUMNS = ("xmin", "ymin", "xmax", "ymax")
ANNOTATION_COLUMNS = ("file", "label", *BOX_COLUMNS)
PREDICTED_BOX_COLUMNS = tuple(f"pred_{name}" for name in BOX_COLUMNS)
RAW_BOX_COLUMNS = tuple(f"raw_{name}" for name in BOX_COLUMNS)

# Only in tables of images that were fitted into the model input: the annotated box relative to
# the input, the size of each file in pixels, and where the image lies, relative to the input.
INPUT_BOX_COLUMNS = tuple(f"input_{name}" for name in BOX_COLUMNS)
SIZE_COLUMNS = ("height", "width")
PLACEMENT_COLUMNS = ("placed_left", "placed_top", "placed_width", "placed_height")

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


def pixel_corners(boxes: npt.ArrayLike, height: npt.ArrayLike, width: npt.ArrayLike) -> FloatArray:
    """Relative corners as corners in pixels: 0.53 of a width of 100 is 53.0.

    Args:
        boxes: Relative corners, `[n, 4]`.
        height: Rows of the image, or of each image, `[n]`.
        width: Columns of the image, or of each image, `[n]`.

    Returns:
        Corners in pixels, `[n, 4]`.
    """
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    sides = np.broadcast_arrays(width, height, width, height)
    return corners * np.stack(sides, axis=-1).astype(np.float64)


def image_sizes(
    table: pd.DataFrame, height: int, width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Height and width of each row's image, in pixels, `[n]` each.

    Args:
        table: A table of predictions; it holds the sizes where they differ.
        height: Rows of the images where it does not.
        width: Columns of the images where it does not.
    """
    if SIZE_COLUMNS[0] in table:
        heights, widths = table[list(SIZE_COLUMNS)].to_numpy(np.int64).T
        return heights, widths
    return np.full(len(table), height), np.full(len(table), width)


def input_corners(annotations: pd.DataFrame) -> FloatArray:
    """Return the annotated corners relative to the model input, `[n, 4]`.

    Args:
        annotations: A split table. Without `INPUT_BOX_COLUMNS` its images have the size of the
            input, so the annotated corners are returned.
    """
    fitted = INPUT_BOX_COLUMNS[0] in annotations
    columns = INPUT_BOX_COLUMNS if fitted else BOX_COLUMNS
    return annotations[list(columns)].to_numpy(np.float64)


def whole_pixels(corners: npt.ArrayLike) -> FloatArray:
    """Pixel corners at the nearest whole pixel; halves go up, so equal inputs stay equal."""
    return np.floor(np.asarray(corners, dtype=np.float64) + 0.5)


def clip_boxes(boxes: npt.ArrayLike) -> FloatArray:
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


def typical_size(corners: npt.ArrayLike) -> tuple[float, float] | None:
    """Width and height that most boxes have.

    Args:
        corners: Relative corners, `[n, 4]`, n > 0.

    Returns:
        The median width and height, where at least half of the boxes are within a hundredth
        of both; none where sizes vary.
    """
    boxes = np.asarray(corners, dtype=np.float64)
    sizes = boxes[:, 2:] - boxes[:, :2]
    median = np.median(sizes, axis=0)
    near = (np.abs(sizes - median) <= 0.01 * median).all(axis=1)
    return (float(median[0]), float(median[1])) if near.mean() >= 0.5 else None
