"""Arithmetic of boxes in NumPy. Unless noted, corners are relative: `xmin, ymin, xmax, ymax`."""

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

# Row i is what number i of a box adds to `xmin, ymin, xmax, ymax`.
_CORNERS_FROM = {
    "xyxy": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    "yxyx": [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]],
    "xywh": [[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]],
    "center_xywh": [[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]],
    "center_yxhw": [[0, 1, 0, 1], [1, 0, 1, 0], [0, -0.5, 0, 0.5], [-0.5, 0, 0.5, 0]],
}


def relative_corners(
    boxes: npt.ArrayLike, box_format: str, heights: npt.ArrayLike, widths: npt.ArrayLike
) -> FloatArray:
    """Convert boxes of any format to relative corners.

    Args:
        boxes: Boxes, `[n, 4]`.
        box_format: `xyxy`, `yxyx`, `xywh`, `center_xywh` or `center_yxhw` in pixels, or one of
            them with the prefix `rel_`, named as in `keras.utils.bounding_boxes`.
        heights: Rows of each image, `[n]`; not used for relative formats.
        widths: Columns of each image, `[n]`; not used for relative formats.

    Returns:
        Corners relative to each image, `[n, 4]`.
    """
    corners = as_boxes(boxes) @ _to_corners(box_format)
    return corners if box_format.startswith("rel_") else corners / _sides(heights, widths)


def from_relative_corners(
    corners: npt.ArrayLike, box_format: str, heights: npt.ArrayLike, widths: npt.ArrayLike
) -> FloatArray:
    """Convert relative corners to boxes of any format; the inverse of `relative_corners`.

    Args:
        corners: Corners relative to each image, `[n, 4]`.
        box_format: See `relative_corners`.
        heights: Rows of each image, `[n]`; not used for relative formats.
        widths: Columns of each image, `[n]`; not used for relative formats.

    Returns:
        Boxes, `[n, 4]`.
    """
    values = as_boxes(corners)
    if not box_format.startswith("rel_"):
        values = values * _sides(heights, widths)
    return values @ np.linalg.inv(_to_corners(box_format))


def pixel_corners(boxes: npt.ArrayLike, height: npt.ArrayLike, width: npt.ArrayLike) -> FloatArray:
    """Convert relative corners to pixels: 0.53 of a width of 100 is 53.0.

    Args:
        boxes: Relative corners, `[n, 4]`.
        height: Rows of the image, or of each image, `[n]`.
        width: Columns of the image, or of each image, `[n]`.

    Returns:
        Corners in pixels, `[n, 4]`.
    """
    return as_boxes(boxes) * _sides(height, width)


def whole_pixels(corners: npt.ArrayLike) -> FloatArray:
    """Round pixel corners to whole pixels; halves go up, so that equal inputs stay equal."""
    return np.floor(np.asarray(corners, dtype=np.float64) + 0.5)


def as_boxes(values: npt.ArrayLike) -> FloatArray:
    """Return one box or several as an array `[n, 4]`."""
    return np.asarray(values, dtype=np.float64).reshape(-1, 4)


def clip_boxes(boxes: npt.ArrayLike) -> FloatArray:
    """Clip corners to the image and put them in order.

    A box whose corners are in the wrong order gets its middle as both corners, so that it has no
    area and an IoU of 0.

    Args:
        boxes: Corners, `[n, 4]`, finite.

    Returns:
        Corners, `[n, 4]`, in [0, 1] and ordered.
    """
    inside = np.clip(as_boxes(boxes), 0.0, 1.0)
    low, high = inside[:, :2], inside[:, 2:]
    middle = (low + high) / 2
    return np.hstack([np.minimum(low, middle), np.maximum(middle, high)])


def paired_iou(boxes: npt.ArrayLike, others: npt.ArrayLike) -> FloatArray:
    """Return the intersection over union of each box with its partner (Jaccard index).

    Args:
        boxes: Corners, `[n, 4]`.
        others: Corners, `[n, 4]`.

    Returns:
        IoU in [0, 1], `[n]`; 0 if the union has no area.
    """
    a, b = as_boxes(boxes), as_boxes(others)
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    intersection = np.prod(np.clip(sides, 0.0, None), axis=1)
    union = _areas(a) + _areas(b) - intersection
    iou: FloatArray = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    # Rounding may give slightly more than 1 for a box and itself.
    return np.minimum(iou, 1.0)


def input_corners(annotations: pd.DataFrame) -> FloatArray:
    """Return the annotated corners relative to the model input, `[n, 4]`.

    Args:
        annotations: A split table. Without `INPUT_BOX_COLUMNS` its images have the size of the
            input, so the annotated corners are returned.
    """
    fitted = INPUT_BOX_COLUMNS[0] in annotations
    columns = INPUT_BOX_COLUMNS if fitted else BOX_COLUMNS
    return annotations[list(columns)].to_numpy(np.float64)


def image_sizes(
    table: pd.DataFrame, height: int, width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return height and width of each row's image in pixels, `[n]` each.

    Args:
        table: A table of predictions, with `SIZE_COLUMNS` if the sizes differ.
        height: Rows of all images if the table has no sizes.
        width: Columns of all images if the table has no sizes.
    """
    if SIZE_COLUMNS[0] in table:
        heights, widths = table[list(SIZE_COLUMNS)].to_numpy(np.int64).T
        return heights, widths
    return np.full(len(table), height), np.full(len(table), width)


def typical_size(corners: npt.ArrayLike) -> tuple[float, float] | None:
    """Return the median width and height of boxes if most boxes have it.

    Args:
        corners: Relative corners, `[n, 4]`, n > 0.

    Returns:
        Width and height; `None` if less than half of the boxes are within 1 % of both.
    """
    boxes = np.asarray(corners, dtype=np.float64)
    sizes = boxes[:, 2:] - boxes[:, :2]
    median = np.median(sizes, axis=0)
    near = (np.abs(sizes - median) <= 0.01 * median).all(axis=1)
    return (float(median[0]), float(median[1])) if near.mean() >= 0.5 else None


def centers_of_mass(images: npt.NDArray[np.uint8]) -> FloatArray:
    """Return the mean pixel index of each image, weighted by intensity.

    Args:
        images: Pixels, uint8, `[n, height, width, channels]`.

    Returns:
        Column and row in pixels, `[n, 2]`; half the size for an image without any intensity.
    """
    columns = images.sum(axis=(1, 3), dtype=np.float64)
    rows = images.sum(axis=(2, 3), dtype=np.float64)
    return np.stack([_weighted_mean_index(columns), _weighted_mean_index(rows)], axis=1)


def _weighted_mean_index(weights: FloatArray) -> FloatArray:
    length, total = weights.shape[1], weights.sum(axis=1)
    mean: FloatArray = np.divide(
        weights @ np.arange(length), total, out=np.full_like(total, length / 2), where=total > 0
    )
    return mean


def _to_corners(box_format: str) -> FloatArray:
    return np.array(_CORNERS_FROM[box_format.removeprefix("rel_")], dtype=np.float64)


def _sides(heights: npt.ArrayLike, widths: npt.ArrayLike) -> FloatArray:
    """Return the length in pixels that each of four corners is relative to, `[..., 4]`."""
    sides = np.broadcast_arrays(widths, heights, widths, heights)
    return np.stack(sides, axis=-1).astype(np.float64)


def _areas(boxes: FloatArray) -> FloatArray:
    areas: FloatArray = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None), axis=1)
    return areas
