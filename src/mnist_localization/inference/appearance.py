"""Whether an image looks like those that a model was trained on, and which way round."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mnist_localization.models.provenance import ImageFacts

Pixels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]

# An image farther than this from the training images, of 255, looks unlike them.
UNLIKE = 40.0
# Single training images are odd themselves: the range is that of the 98 % in the middle.
_QUANTILES = (0.01, 0.99)


@dataclass(frozen=True)
class Appearance:
    """How light the training images are.

    Attributes:
        brightness: Lowest and highest mean of an image, 0..255.
        border: Lowest and highest mean of the outermost rows and columns of one, 0..255.
    """

    brightness: tuple[float, float]
    border: tuple[float, float]

    def distance(self, image: Pixels) -> float:
        """How far an image is out of these ranges, 0..255; 0 inside.

        Args:
            image: Pixels, `[height, width, channels]`.
        """
        found = _measured(image[None])[0]
        ranges = np.array([self.brightness, self.border])
        return float(np.max(np.maximum(ranges[:, 0] - found, found - ranges[:, 1]), initial=0.0))


def appearance(images: Pixels) -> Appearance:
    """How light images are.

    Args:
        images: Pixels, 0..255, `[n, height, width, channels]`, at least one.
    """
    low, high = np.quantile(_measured(images), _QUANTILES, axis=0).round(2)
    return Appearance((float(low[0]), float(high[0])), (float(low[1]), float(high[1])))


def appearance_from(images: ImageFacts) -> Appearance | None:
    """Return the appearance stored in a model, or `None` if it is unknown."""
    if images.brightness is None or images.border is None:
        return None
    return Appearance(images.brightness, images.border)


def _measured(images: Pixels) -> FloatArray:
    """Mean of each image and of its border, `[n, 2]`."""
    gray = images.mean(axis=3, dtype=np.float64)
    border = np.concatenate(
        [gray[:, 0, :], gray[:, -1, :], gray[:, 1:-1, 0], gray[:, 1:-1, -1]], axis=1
    )
    return np.stack([gray.mean(axis=(1, 2)), border.mean(axis=1)], axis=1)
