"""Reading one image file that is not trusted."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from mnist_localization.errors import ImageError

_MODE = {1: "L", 3: "RGB"}
_MEBIBYTE = 2**20


def read_image(path: Path, shape: tuple[int, int, int], max_mb: float) -> npt.NDArray[np.uint8]:
    """Pixels of one image, once its header says that it has the expected shape.

    Args:
        path: The image file.
        shape: Expected height, width, channels.
        max_mb: Size above which a decoded image is refused unread, in MiB.

    Returns:
        Pixels, uint8 0..255, `[height, width, channels]`.

    Raises:
        ImageError: The file is missing, no image, too large, truncated, or of another shape.
    """
    height, width, channels = shape
    try:
        with Image.open(path) as image:
            _check_header(path, image, shape, max_mb)
            pixels = np.asarray(image.convert(_MODE[channels]), dtype=np.uint8)
    except FileNotFoundError as error:
        raise ImageError(
            f"{path}: the image is missing; run the stage `fetch` again, or correct the annotation"
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: this is no image that can be read; replace the file") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path}: refused unread, {error}") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{path}: the image is damaged ({error}); replace the file") from error
    return pixels.reshape(height, width, channels)


def _check_header(
    path: Path, image: Image.Image, shape: tuple[int, int, int], max_mb: float
) -> None:
    height, width, channels = shape
    size_mb = image.width * image.height * len(image.getbands()) / _MEBIBYTE
    if size_mb > max_mb:
        raise ImageError(
            f"{path}: {image.width}x{image.height} pixels would take {size_mb:.0f} MiB, more than "
            f"split.max_image_mb = {max_mb:g}"
        )
    if (image.height, image.width) != (height, width):
        raise ImageError(
            f"{path}: the image is {image.width}x{image.height} pixels, but dataset.image says "
            f"{width}x{height}; correct the configuration or the file"
        )
    found = 3 if image.mode == "P" else len(image.getbands())
    if found != channels:
        raise ImageError(
            f"{path}: the image has {found} channels (mode {image.mode}), but "
            f"dataset.image.channels is {channels}; correct the configuration or the file"
        )
