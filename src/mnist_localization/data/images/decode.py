"""Decoding of single, untrusted image files."""

import logging
import math
import os
import struct
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from mnist_localization.config.data import ImageSettings
from mnist_localization.errors import ImageError

Pixels = npt.NDArray[np.uint8]
ImageSource = Path | BinaryIO | Image.Image
T = TypeVar("T")

logger = logging.getLogger(__name__)

# Pillow reads many more formats, some of which start other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jfif",
    ".webp",
    ".bmp",
    ".tif",
    ".tiff",
    ".gif",
    ".ppm",
    ".pgm",
)

# Images in flight, which bound the memory.
_CHUNK = 512
# Images per task of a thread, because handing over a small image takes as long as decoding it.
_TASK = 32

# Pixels above which the decoder of a JPEG may leave out details.
_LARGE = 2**22
# Bits of a sample that need no warning, because they are all of a 16-bit sample.
_SAMPLE_BITS = 16
_MODE = {1: "L", 3: "RGB"}
_MEBIBYTE = 2**20
# Bytes per sample of the modes in which it is not one.
_SAMPLE_BYTES = {"I;16": 2, "I;16B": 2, "I;16L": 2, "I": 4, "F": 4}
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif")
_ORIENTATION = 0x0112  # EXIF tag
# How an image of each EXIF orientation is turned or mirrored, so that it is upright.
_TRANSPOSE = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Warning filters are global to the process, and images are decoded in threads.
_WARNINGS_LOCK = threading.Lock()
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, OverflowError)


@dataclass(frozen=True)
class ImageHeader:
    """Header of an image file.

    Attributes:
        format: One of `FORMATS`.
        mode: Pillow's name of the pixel format, such as `L`, `RGB`, `P`, `I;16`.
        height: Rows after the EXIF orientation is applied, pixels.
        width: Columns after the EXIF orientation is applied, pixels.
        channels: 1 gray, 2 gray and alpha, 3 color or palette, 4 color and alpha or ink.
        orientation: EXIF orientation that is applied: 1 for upright, up to 8.
    """

    format: str
    mode: str
    height: int
    width: int
    channels: int
    orientation: int = 1


def read_header(path: Path) -> ImageHeader:
    """Read the header of an image file without decoding its pixels.

    Raises:
        ImageError: The file is missing, or is not an image of a supported format.
    """
    with _opened(path) as image:
        return _header(image)


def decode_image(
    source: ImageSource, *, channels: int, max_mb: float, background: int = 0, name: str = ""
) -> Pixels:
    """Decode an image of any size and pixel format, unless its header shows that it is too large.

    16-bit samples keep the upper byte of the bits in use, palettes become colors, transparent
    pixels get the background behind them, and the EXIF orientation is applied. Only the first
    image of a file is read.

    Args:
        source: The image file, a seekable binary stream, or an open Pillow image.
        channels: 1 for gray (ITU-R 601 luma of colors), 3 for color.
        max_mb: Size of the decoded image in MiB above which it is refused before decoding.
        background: Gray value behind transparent pixels, 0..255.
        name: Name in messages; by default the path, or "the image".

    Returns:
        Pixels, uint8 0..255, `[height, width, channels]`.

    Raises:
        ImageError: The image is missing, not of a supported format, too large or damaged.
    """
    with _opened(source, name, max_mb) as image:
        return _pixels(image, channels, background, None)


def read_header_and_pixels(
    source: ImageSource, settings: ImageSettings, max_mb: float
) -> tuple[ImageHeader, Pixels]:
    """Decode an image for a model input.

    Args:
        source: As in `decode_image`.
        settings: The section `dataset.image`.
        max_mb: As in `decode_image`.

    Returns:
        The header, and the pixels as in `decode_image`. A large JPEG that is letterboxed has
        fewer pixels than its header states, but at least twice the height and width of the input.

    Raises:
        ImageError: As in `decode_image`.
    """
    with _opened(source, max_mb=max_mb) as image:
        header = _header(image)
        # An image of the caller is not changed.
        is_large = header.format == "JPEG" and image.width * image.height > _LARGE
        if is_large and settings.letterbox and not isinstance(source, Image.Image):
            side = 2 * max(settings.height, settings.width)
            image.draft(image.mode, (side, side))
        return header, _pixels(image, settings.channels, settings.background, settings.sample_bits)


def read_image(path: Path, settings: ImageSettings, max_mb: float) -> tuple[ImageHeader, Pixels]:
    """Decode an image, and raise an error if the settings do not allow its size or channels.

    Args:
        path: The image file.
        settings: The section `dataset.image`.
        max_mb: Size of the decoded image in MiB above which it is refused before decoding.

    Returns:
        As `read_header_and_pixels`.

    Raises:
        ImageError: The file is missing, not an image, too large, damaged or of another shape.
    """
    header, pixels = read_header_and_pixels(path, settings, max_mb)
    if faults := shape_faults(header, settings):
        raise ImageError(f"{path}: {'; '.join(faults.values())}")
    return header, pixels


def shape_faults(header: ImageHeader, settings: ImageSettings) -> dict[str, str]:
    """Return why the stage `split` refuses images of such a header.

    Args:
        header: Header of the image.
        settings: The section `dataset.image`.

    Returns:
        Explanations by the kind of fault, as in the table `dataset_check`.
    """
    faults = {}
    if not settings.letterbox and (header.height, header.width) != settings.shape[:2]:
        faults["image of another size"] = (
            f"the image is {header.width}x{header.height} pixels, but dataset.image is "
            f"{settings.width}x{settings.height}; correct the configuration or the file, or set "
            "dataset.image.letterbox to resize images"
        )
    if not settings.convert_channels and header.channels != settings.channels:
        faults["image of other channels"] = (
            f"the image has {header.channels} channels (mode {header.mode}), but "
            f"dataset.image.channels is {settings.channels}; correct the configuration or the "
            "file, or set dataset.image.convert_channels to convert images"
        )
    return faults


def map_in_threads(function: Callable[[str], T], files: Sequence[str], label: str) -> Iterator[T]:
    """Yield the results of a function for each file, in order, with a progress bar.

    Args:
        function: Decodes an image file.
        files: Names of the files.
        label: Text before the progress bar.
    """
    with (
        ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool,
        tqdm(total=len(files), desc=label, unit="image", disable=None) as bar,
    ):
        for start in range(0, len(files), _CHUNK):
            chunk = files[start : start + _CHUNK]
            tasks = [chunk[first : first + _TASK] for first in range(0, len(chunk), _TASK)]
            for results in pool.map(lambda names: [function(name) for name in names], tasks):
                bar.update(len(results))
                yield from results


def printable(name: str | Path) -> str:
    r"""Return a file name that can be written to tables and logs.

    File names on Linux are arbitrary bytes. Bytes that are not valid UTF-8 are escaped: 0xff
    becomes `\udcff`.
    """
    return str(name).encode("utf-8", "backslashreplace").decode()


def has_image_suffix(name: str) -> bool:
    """Return whether the suffix of a file name is one of `SUFFIXES`, in any case."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


@contextmanager
def _opened(source: ImageSource, name: str = "", max_mb: float = math.inf) -> Iterator[Image.Image]:
    """Yield the image with its header read, and raise every failure as `ImageError`."""
    shown = name or ("the image" if isinstance(source, Image.Image) else printable(str(source)))
    try:
        with _open(source) as image:
            _check_size(image, max_mb)
            yield image
    except ImageError as error:
        raise ImageError(f"{shown}: {error}") from error.__cause__
    except FileNotFoundError as error:
        raise ImageError(
            f"{shown}: the image is missing; run the stage `fetch` again, or correct the annotation"
        ) from error
    except PermissionError as error:
        raise ImageError(f"{shown}: permission denied; make the file readable") from error
    except UnidentifiedImageError as error:
        if _is_heic(source):
            raise ImageError(
                f"{shown}: a HEIC or AVIF image, which is not supported; convert it to JPEG"
            ) from error
        raise ImageError(
            f"{shown}: not an image in a supported format ({', '.join(FORMATS)}); replace the file"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{shown}: refused before decoding, {error}") from error
    except _DAMAGED as error:
        raise ImageError(
            f"{shown}: damaged or of an unsupported pixel format ({error}); replace the image"
        ) from error


def _is_heic(source: ImageSource) -> bool:
    """Return whether a file is of the family of HEIC, by the start of its content."""
    try:
        with Path(source).open("rb") if isinstance(source, Path) else nullcontext(source) as file:
            file.seek(0)  # type: ignore[union-attr]
            start = file.read(32)  # type: ignore[union-attr]
    except (OSError, AttributeError):
        return False
    return bool(start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS)


def _open(source: ImageSource) -> AbstractContextManager[Image.Image]:
    if isinstance(source, Image.Image):
        return nullcontext(source)
    # Pillow's warning about large sizes is ignored, because `max_mb` limits them.
    with _WARNINGS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(source, formats=FORMATS)


def _header(image: Image.Image) -> ImageHeader:
    # Pillow has already turned a TIFF.
    orientation = 1 if image.format == "TIFF" else _orientation(image)
    height, width = image.size if orientation in (5, 6, 7, 8) else reversed(image.size)
    channels = 3 if image.mode == "P" else len(image.getbands())
    return ImageHeader(str(image.format), image.mode, height, width, channels, orientation)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1, upright, if the EXIF data are damaged."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow raises many kinds of errors for damaged EXIF data
        return 1
    return orientation if orientation in _TRANSPOSE else 1


def _check_size(image: Image.Image, max_mb: float) -> None:
    sample_bytes = _SAMPLE_BYTES.get(image.mode, 1)
    size_mb = image.width * image.height * len(image.getbands()) * sample_bytes / _MEBIBYTE
    if size_mb > max_mb:
        raise ImageError(
            f"{image.width}x{image.height} pixels would take {size_mb:.0f} MiB, more than "
            f"the limit of {max_mb:g} MiB (split.max_image_mb)"
        )


def _pixels(image: Image.Image, channels: int, background: int, sample_bits: int | None) -> Pixels:
    # Each step copies the image even if it has nothing to do, so steps are skipped.
    _load(image)
    method = _TRANSPOSE[_orientation(image)]
    upright = image if method is None else image.transpose(method)
    mode = _MODE[channels]
    if upright.mode in _SAMPLE_BYTES:
        upright = _to_8_bit(upright, sample_bits)
    if upright.has_transparency_data:
        upright = _on_background(upright, background)
    if upright.mode != mode:
        upright = upright.convert(mode)
    pixels = np.asarray(upright, dtype=np.uint8)
    return pixels.reshape(upright.height, upright.width, channels)


def _load(image: Image.Image) -> None:
    """Decode the pixels, and turn those of a TIFF."""
    name = getattr(image, "filename", "")
    # With a name, Pillow maps the file into memory, with rows and columns confused if the image
    # is to be turned.
    image.filename = ""  # type: ignore[attr-defined]
    try:
        image.load()
    finally:
        image.filename = name  # type: ignore[attr-defined]


def _to_8_bit(image: Image.Image, sample_bits: int | None) -> Image.Image:
    """Keep the upper byte of the given bits, else of the bits in use: 8, 12, 16 or 32."""
    if image.mode == "F":
        raise ValueError("samples are floating-point numbers of an unknown range")
    samples = np.asarray(image).astype(np.int64).clip(min=0)
    largest = samples.max(initial=0)
    if sample_bits is not None and largest >= 2**sample_bits:
        raise ImageError(
            f"a sample is {largest}, more than dataset.image.sample_bits = {sample_bits} allows; "
            "correct the parameter, or replace the image"
        )
    bits = sample_bits or next(bits for bits in (8, 12, 16, 32) if largest < 2**bits)
    if sample_bits is None and bits != _SAMPLE_BITS:
        _warn_of_bits(bits)
    return Image.fromarray((samples >> (bits - 8)).astype(np.uint8))


@cache
def _warn_of_bits(bits: int) -> None:
    """Warn once for each number of bits."""
    logger.warning(
        "There are images with samples of 16 bits or more of which %d are used; they are scaled by "
        "that range. To scale all by the same range, set dataset.image.sample_bits.",
        bits,
    )


def _on_background(image: Image.Image, background: int) -> Image.Image:
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, (background, background, background, 255))
    return Image.alpha_composite(ground, layer).convert("RGB")
