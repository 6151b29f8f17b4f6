"""Regions of the VGG Image Annotator (VIA), which its JSON and its CSV share."""

from collections.abc import Iterator
from typing import Any

from mnist_localization.data.annotations.formats import BadRow, Decision, Found, RawRow
from mnist_localization.data.annotations.formats._json import as_dict, as_list, as_text

BOX_FORMAT = "xywh"
SIDES = ("x", "y", "width", "height")
_LABELS = ("label", "class", "category", "type", "name")


def read_region(
    source: str, number: int, file: str, shape: Any, attributes: Any
) -> Iterator[Found]:
    """Yield the object of a region, and what was decided about it.

    Args:
        source: Name of the annotation file.
        number: Number of the region or of its image in the file, from 1.
        file: Name of the image.
        shape: Its `shape_attributes`.
        attributes: Its `region_attributes`.
    """
    shape, attributes = as_dict(shape), as_dict(attributes)
    kind = shape.get("name")
    label = _label_of(attributes)
    if kind == "rect":
        yield RawRow(source, number, file, label, [shape.get(side, "") for side in SIDES])
        return
    try:
        box = _box_around(shape)
    except (TypeError, ValueError, KeyError):
        reason = f"the shape {kind!r} has no box; draw a rectangle"
        yield BadRow(source, number, reason, "invalid box", file)
        return
    yield Decision(f"box drawn around a {kind}", file)
    yield RawRow(source, number, file, label, box)


def _label_of(attributes: dict[str, Any]) -> str:
    """Return the value of the usual attribute, or of the only one."""
    names = [name for name in _LABELS if name in attributes] or list(attributes)
    if not names or (len(names) > 1 and names[0] not in _LABELS):
        return ""
    value = attributes[names[0]]
    if isinstance(value, dict):  # a checkbox
        chosen = [name for name, is_chosen in value.items() if is_chosen is True]
        return chosen[0] if len(chosen) == 1 else ""
    return as_text(value).strip()


def _box_around(shape: dict[str, Any]) -> list[float]:
    kind = shape.get("name")
    if kind in ("polygon", "polyline"):
        xs = [float(x) for x in as_list(shape["all_points_x"])]
        ys = [float(y) for y in as_list(shape["all_points_y"])]
        return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    if kind in ("circle", "ellipse"):
        half_width = float(shape["r"] if kind == "circle" else shape["rx"])
        half_height = float(shape["r"] if kind == "circle" else shape["ry"])
        left, top = float(shape["cx"]) - half_width, float(shape["cy"]) - half_height
        return [left, top, 2 * half_width, 2 * half_height]
    raise ValueError(kind)
