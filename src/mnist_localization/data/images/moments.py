"""Moments of an image's intensity."""

from typing import Any

import numpy as np
import numpy.typing as npt


def centers_of_mass(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Mean of the pixel indices of each image, weighted by intensity.

    Args:
        images: `[n, height, width, channels]`, uint8.

    Returns:
        `[n, 2]`, column and row, in pixels; the middle for an image without any intensity.
    """
    _, height, width, _ = images.shape
    columns = images.sum(axis=(1, 3), dtype=np.float64)
    rows = images.sum(axis=(2, 3), dtype=np.float64)
    total = columns.sum(axis=1)
    return np.stack(
        [_weighted_mean(columns, width, total), _weighted_mean(rows, height, total)], axis=1
    )


def _weighted_mean(weights: npt.NDArray[Any], length: int, total: npt.NDArray[Any]) -> Any:
    middle = np.full_like(total, length / 2)
    return np.divide(weights @ np.arange(length), total, out=middle, where=total > 0)
