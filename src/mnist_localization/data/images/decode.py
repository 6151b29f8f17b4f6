"""Reading one image file that is not trusted."""

import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_localization.errors import ImageError

Pixels = npt.NDArray[np.uint8]

# Pillow reads many more; some of those start other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

_MODE = {1: "L", 3: "RGB"}
_MEBIBYTE = 2**20
# Bytes of one sample where it is not one.
_SAMPLE_BYTES = {"I;16": 2, "I;16B": 2, "I;16L": 2, "I": 4, "F": 4}
_ORIENTATION = 0x0112  # EXIF tag
# Filters of warnings belong to the whole process, and images are decoded in threads.
_QUIETLY = threading.Lock()
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, OverflowError)


@dataclass(frozen=True)
class ImageHeader:
    """What the header of an image file says.

    Attributes:
        format: `PNG`, `JPEG`, `WEBP`, `BMP` or `TIFF`.
        mode: Pillow's name of the kind of pixels, such as `L`, `RGB`, `P`, `I;16`.
        height: Rows of the image as it is to be seen (after its EXIF orientation), pixels.
        width: Columns of the same, pixels.
        channels: 1 gray, 2 gray and alpha, 3 color or palette, 4 color and alpha or ink.
    """

    format: str
    mode: str
    height: int
    width: int
    channels: int


def read_header(source: Path | BinaryIO, name: str = "") -> ImageHeader:
    """What the header of an image file says; its pixels are not decoded.

    Args:
        source: The file, or a binary stream that can seek.
        name: What messages call it; the path where it is empty.

    Raises:
        ImageError: The file is missing, or is no image of a known format.
    """
    with _opened(source, name) as image:
        return _header(image)


def decode_image(
    source: Path | BinaryIO, *, channels: int, max_mb: float, background: int = 0, name: str = ""
) -> Pixels:
    """Pixels of an image of any size and kind, once its header says that it is not too large.

    16-bit samples keep their upper byte, palettes become colors, what lies behind
    transparent pixels is the background, and EXIF orientation is applied. Of a file with
    several images the first is read.

    Args:
        source: The file, or a binary stream that can seek.
        channels: 1 for gray (ITU-R 601 luma of colors), 3 for color.
        max_mb: Size above which a decoded image is refused unread, in MiB.
        background: Gray value behind transparent pixels, 0..255.
        name: What messages call it; the path where it is empty.

    Returns:
        Pixels, uint8 0..255, `[height, width, channels]`.

    Raises:
        ImageError: The file is missing, no image of a known format, too large, or damaged.
    """
    with _opened(source, name) as image:
        _check_size(image, max_mb, name or str(source))
        return _pixels(image, channels, background)


def examine_image(
    path: Path, *, channels: int, max_mb: float, background: int = 0
) -> tuple[ImageHeader, Pixels]:
    """Header and pixels of an image, as `read_header` and `decode_image` give them."""
    with _opened(path, "") as image:
        _check_size(image, max_mb, str(path))
        return _header(image), _pixels(image, channels, background)


def read_image(
    path: Path,
    shape: tuple[int, int, int],
    max_mb: float,
    *,
    any_size: bool = False,
    any_channels: bool = False,
    background: int = 0,
) -> Pixels:
    """Pixels of one image, once its header says that it has the expected shape.

    Args:
        path: The image file.
        shape: Expected height, width, channels.
        max_mb: Size above which a decoded image is refused unread, in MiB.
        any_size: Whether height and width may be others.
        any_channels: Whether an image of other channels is converted to those expected.
        background: Gray value behind transparent pixels, 0..255.

    Returns:
        Pixels, uint8 0..255, `[height, width, channels]`; height and width are the file's.

    Raises:
        ImageError: The file is missing, no image, too large, damaged, or of another shape.
    """
    with _opened(path, "") as image:
        _check_size(image, max_mb, str(path))
        header = _header(image)
        if not any_size:
            _check_sides(header, shape, path)
        if not any_channels:
            _check_channels(header, shape, path)
        return _pixels(image, shape[2], background)


def image_pixels(
    image: Image.Image, *, channels: int, max_mb: float, background: int = 0
) -> Pixels:
    """Pixels of an image that is open already, in the same way as `decode_image`.

    Args:
        image: The image; Pillow may not have decoded it yet.
        channels: 1 for gray, 3 for color.
        max_mb: Size above which a decoded image is refused, in MiB.
        background: Gray value behind transparent pixels, 0..255.

    Returns:
        Pixels, uint8 0..255, `[height, width, channels]`.

    Raises:
        ImageError: The image is too large, damaged, or of a kind that is not known.
    """
    _check_size(image, max_mb, "the image")
    try:
        return _pixels(image, channels, background)
    except _DAMAGED as error:
        raise ImageError(f"the image cannot be read ({error}); give another") from error


def printable(name: str | Path) -> str:
    r"""A file's name as tables and messages say it.

    On Linux a name is any bytes. Those that are no UTF-8 cannot be written to a table or a log:
    they are shown as `\udcff`, where 0xff is the byte.
    """
    return str(name).encode("utf-8", "backslashreplace").decode()


@contextmanager
def _opened(source: Path | BinaryIO, name: str) -> Iterator[Image.Image]:
    """The image with its header read; whatever is wrong with the file becomes one error."""
    shown = printable(name or str(source))
    try:
        with _without_warning(source) as image:
            yield image
    except FileNotFoundError as error:
        raise ImageError(
            f"{shown}: the image is missing; run the stage `fetch` again, or correct the annotation"
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{shown}: this is no image that can be read ({', '.join(FORMATS)}); replace the file"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{shown}: refused unread, {error}") from error
    except _DAMAGED as error:
        raise ImageError(f"{shown}: the image is damaged ({error}); replace the file") from error


def _without_warning(source: Path | BinaryIO) -> Image.Image:
    """The image, not decoded; of its size our limit decides, not that at which Pillow warns."""
    with _QUIETLY, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(source, formats=FORMATS)


def _header(image: Image.Image) -> ImageHeader:
    turned = _orientation(image) in (5, 6, 7, 8)
    # Pillow already turns a TIFF itself.
    swapped = turned and image.format != "TIFF"
    height, width = image.size if swapped else reversed(image.size)
    channels = 3 if image.mode == "P" else len(image.getbands())
    return ImageHeader(str(image.format), image.mode, height, width, channels)


def _orientation(image: Image.Image) -> int:
    """1 for upright, and up to 8 for ways to be turned and mirrored, as EXIF numbers them."""
    return int(image.getexif().get(_ORIENTATION, 1))


def _check_size(image: Image.Image, max_mb: float, name: str) -> None:
    sample_bytes = _SAMPLE_BYTES.get(image.mode, 1)
    size_mb = image.width * image.height * len(image.getbands()) * sample_bytes / _MEBIBYTE
    if size_mb > max_mb:
        raise ImageError(
            f"{name}: {image.width}x{image.height} pixels would take {size_mb:.0f} MiB, more than "
            f"the limit of {max_mb:g} MiB (split.max_image_mb)"
        )


def _check_sides(header: ImageHeader, shape: tuple[int, int, int], path: Path) -> None:
    height, width, _ = shape
    if (header.height, header.width) != (height, width):
        raise ImageError(
            f"{path}: the image is {header.width}x{header.height} pixels, but dataset.image says "
            f"{width}x{height}; correct the configuration or the file, or let images be resized "
            "by dataset.image.letterbox"
        )


def _check_channels(header: ImageHeader, shape: tuple[int, int, int], path: Path) -> None:
    channels = shape[2]
    if header.channels != channels:
        raise ImageError(
            f"{path}: the image has {header.channels} channels (mode {header.mode}), but "
            f"dataset.image.channels is {channels}; correct the configuration or the file, or "
            "let images be converted by dataset.image.convert_channels"
        )


def _pixels(image: Image.Image, channels: int, background: int) -> Pixels:
    # Pillow copies the image for each of these, also where there is nothing to do.
    upright = image if _orientation(image) == 1 else ImageOps.exif_transpose(image)
    mode = _MODE[channels]
    if upright.mode in _SAMPLE_BYTES:
        upright = _as_8_bit(upright)
    if upright.has_transparency_data:
        upright = _without_alpha(upright, background)
    if upright.mode != mode:
        upright = upright.convert(mode)
    pixels = np.asarray(upright, dtype=np.uint8)
    return pixels.reshape(upright.height, upright.width, channels)


def _as_8_bit(image: Image.Image) -> Image.Image:
    """The upper byte of 16-bit samples, as Pillow itself keeps of 16-bit colors."""
    if image.mode == "F":
        raise ValueError("samples are floating-point numbers, of no known range")
    samples = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
    return Image.fromarray((samples >> 8).astype(np.uint8))


def _without_alpha(image: Image.Image, background: int) -> Image.Image:
    """The image as it looks on a background of one gray value."""
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, (background, background, background, 255))
    return Image.alpha_composite(ground, layer).convert("RGB")
