"""Boxes of annotation files, fitted to their images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mnist_localization.data.annotations.formats import Fault
from mnist_localization.data.boxes import as_boxes, relative_corners
from mnist_localization.data.images.decode import ImageHeader, read_header
from mnist_localization.errors import AnnotationError, ImageError

# What rounding may add to a corner on the border of the image. It is more if the corner is the
# sum of a rounded center and half a rounded side.
_CORNER_ROUNDING = 1e-6
_ROUNDING = 1e-4
# A box may leave its image by a pixel or by this share of the image; it is clipped then.
_BORDER_SHARE = 0.01
# A smaller share of the box inside the image means that the box is wrong.
_INSIDE_SHARE = 0.5
# Sizes with the same proportions: at most this relative difference.
_SAME_PROPORTIONS = 0.01
# Characters of an invalid box that a message shows.
_SHOWN = 80

CLIPPED = "box clipped to the image"
SCALED = "box scaled to the size of the image"
TURNED = "box turned with the image"


class RowError(Exception):
    """Fault of one row; collected as a `BadRow`, not raised to the user."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault: Fault = fault


class FittedBox(NamedTuple):
    """Relative corners inside the image, and what was done to fit them."""

    corners: tuple[float, ...]
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Size:
    """Width and height in pixels."""

    width: float
    height: float


def parse_box(values: Sequence[str | float]) -> tuple[float, ...]:
    """Return four finite numbers.

    Raises:
        RowError: The values are not four finite numbers.
    """
    try:
        box = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        box = ()
    if len(box) != 4:
        shown = ",".join(map(str, values))[:_SHOWN]
        raise RowError("invalid box", f"the box {shown!r} is not four numbers")
    if not all(math.isfinite(value) for value in box):
        raise RowError("invalid box", f"the box {box} is not finite")
    return box


def check_units(boxes: Sequence[Sequence[float]], box_format: str, path: Path) -> None:
    """Check that boxes are in pixels or relative to the image, as their format says.

    Raises:
        AnnotationError: All boxes of a format in pixels are in [0, 1], or most boxes of a
            relative format are not.
    """
    if not boxes:
        return
    values = as_boxes(boxes)
    largest = abs(values).max(axis=1)
    advice = "set dataset.annotations.csv_boxes, or correct dataset.annotations.format"
    if box_format.startswith("rel_") and (largest > 2).mean() > 0.5:
        raise AnnotationError(
            f"{path}: the boxes are read as {box_format}, relative to the image, but most have "
            f"numbers far above 1, such as {tuple(boxes[int(largest.argmax())])}; they are "
            f"probably {box_format.removeprefix('rel_')}, in pixels: {advice}"
        )
    # Boxes of one pixel are whole numbers.
    if not box_format.startswith("rel_") and largest.max() <= 1 and (values % 1).any():
        raise AnnotationError(
            f"{path}: the boxes are read as {box_format}, in pixels, but all numbers are at most "
            f"1, such as {tuple(boxes[0])}; they are probably rel_{box_format}, relative to the "
            f"image: {advice}"
        )


def fit_box(
    box: Sequence[float], box_format: str, image: Path, stated: tuple[float, float] | None
) -> FittedBox:
    """Return the relative corners of a box inside its image.

    Args:
        box: Four numbers of the box format.
        box_format: Format named as in `keras.utils.bounding_boxes`.
        image: The image; its header is read if the box is in pixels.
        stated: Width and height of the image according to the annotation, if it states them.

    Raises:
        RowError: The box is not in the image, or the image cannot be read.
    """
    if box_format.startswith("rel_"):
        corners = relative_corners(box, box_format, 1, 1)[0].tolist()
        frame, allowed = "[0, 1]; it must be relative to the image", (_BORDER_SHARE,) * 2
        change = ""
    else:
        try:
            header = read_header(image)
        except ImageError as error:
            raise RowError("unreadable image", str(error)) from error
        size, change = _size_of_annotation(header, stated)
        corners = relative_corners(box, box_format, size.height, size.width)[0].tolist()
        if change == TURNED:
            corners = _turn(corners, header.orientation)
        frame = f"the image of {size.width:g}x{size.height:g} pixels"
        allowed = (max(_BORDER_SHARE, 1 / size.width), max(_BORDER_SHARE, 1 / size.height))
    inside, is_clipped = _clip(corners, allowed, box, box_format, frame)
    changes = [change] if change else []
    return FittedBox(inside, (*changes, *([CLIPPED] if is_clipped else [])))


def _clip(
    corners: Sequence[float],
    allowed: tuple[float, float],
    box: Sequence[float],
    box_format: str,
    frame: str,
) -> tuple[tuple[float, ...], bool]:
    """Return the corners inside the image, and whether more than rounding was clipped."""
    if not _is_ordered(corners):
        reason = "is not ordered: its corners need xmin < xmax and ymin < ymax"
        raise RowError("invalid box", f"the box {tuple(box)} ({box_format}) {reason}")
    inside = [min(max(corner, 0.0), 1.0) for corner in corners]
    outside = [abs(new - old) for new, old in zip(inside, corners, strict=True)]
    limits = [limit + _CORNER_ROUNDING for limit in (*allowed, *allowed)]
    is_near = all(map(float.__le__, outside, limits))
    if not is_near or _area(inside) < _INSIDE_SHARE * _area(corners) or not _is_ordered(inside):
        reason = f"the box {tuple(box)} ({box_format}) leaves {frame}"
        raise RowError("box outside the image", reason)
    rounding = _CORNER_ROUNDING if box_format == "rel_xyxy" else _ROUNDING
    return tuple(inside), max(outside) > rounding


def _size_of_annotation(
    header: ImageHeader, stated: tuple[float, float] | None
) -> tuple[Size, str]:
    """Return the size of the image that the box refers to, and what has to be done with the box."""
    actual = Size(header.width, header.height)
    if stated is None or min(stated) <= 0 or stated == (actual.width, actual.height):
        return actual, ""
    size = Size(*stated)
    is_turned = header.orientation in (5, 6, 7, 8)
    if is_turned and stated == (actual.height, actual.width):
        return size, TURNED
    proportions = (size.width / size.height) / (actual.width / actual.height)
    if abs(proportions - 1) > _SAME_PROPORTIONS:
        raise RowError(
            "image of another size",
            f"the annotation states {size.width:g}x{size.height:g} pixels, but the image has "
            f"{actual.width:g}x{actual.height:g}, which has other proportions; correct the "
            "annotation, or use the image that was annotated",
        )
    return size, SCALED


def _turn(corners: Sequence[float], orientation: int) -> Sequence[float]:
    """Turn relative corners of the stored image to the image as it is shown."""
    xmin, ymin, xmax, ymax = corners
    turned = {
        5: (ymin, xmin, ymax, xmax),
        6: (1 - ymax, xmin, 1 - ymin, xmax),
        7: (1 - ymax, 1 - xmax, 1 - ymin, 1 - xmin),
        8: (ymin, 1 - xmax, ymax, 1 - xmin),
    }
    return turned[orientation]


def _area(corners: Sequence[float]) -> float:
    return (corners[2] - corners[0]) * (corners[3] - corners[1])


def _is_ordered(corners: Sequence[float]) -> bool:
    return corners[0] < corners[2] and corners[1] < corners[3]
