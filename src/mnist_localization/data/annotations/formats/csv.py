"""CSV with one row per object: columns by name, by number, or in a usual order."""

import csv
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import pandas as pd

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.annotations.formats import (
    AnnotationFormat,
    BadRow,
    Decision,
    Found,
    RawRow,
    ReadContext,
    annotation_files,
    is_number,
    predicted_boxes,
    stated_size,
)
from mnist_localization.data.boxes import ANNOTATION_COLUMNS, BOX_COLUMNS
from mnist_localization.data.images.decode import has_image_suffix
from mnist_localization.errors import AnnotationError, UnreadableError

logger = logging.getLogger(__name__)

# Usual names of the columns, in lower case and without other characters than letters and digits.
_NAMES = {
    "file": "file filename fname image imagename imageid imagepath filepath path img imgname",
    "label": "label class classname labelname classid category categoryname",
    "xmin": "xmin x1 left roix1 bboxxmin bboxx1 xtl minx",
    "ymin": "ymin y1 top roiy1 bboxymin bboxy1 ytl miny",
    "xmax": "xmax x2 right roix2 bboxxmax bboxx2 xbr maxx",
    "ymax": "ymax y2 bottom roiy2 bboxymax bboxy2 ybr maxy",
    "x": "x bboxx boxx bboxleft xcoord",
    "y": "y bboxy boxy bboxtop ycoord",
    "w": "w bboxw boxw bboxwidth boxwidth",
    "h": "h bboxh boxh bboxheight boxheight",
    "box": "bbox box boundingbox",
    "width": "width imagewidth imgwidth imgw imagew",
    "height": "height imageheight imgheight imgh imageh",
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names.split()}
_SIDES = ("x", "y", "w", "h")
_SIZE = ("width", "height")
_DELIMITERS = (";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"^-?\d+,\d+$")
# Rows in which the order of the columns is looked for, because the first may have no box.
_PEEKED = 100


@dataclass(frozen=True)
class _Columns:
    """Positions of the columns of a file.

    Attributes:
        count: Number of columns.
        file: Position of the name of the image.
        label: Position of the label; `None` if the only class has none.
        box: Positions of the box: four, or one with four numbers.
        size: Positions of width and height of the image, or none.
        box_format: Format of the box if the header states it.
        has_header: Whether the first row is a header.
        order: Names of the columns in a message.
        group: Position of the name of the group; `None` if there is none.
    """

    count: int
    file: int
    label: int | None
    box: tuple[int, ...]
    size: tuple[int, ...] = ()
    box_format: str = ""
    has_header: bool = False
    order: str = ",".join(ANNOTATION_COLUMNS)
    group: int | None = None


def matches(path: Path) -> bool:
    """Return whether a path is a `.csv` file or a folder of such files."""
    if path.is_dir():
        return bool(annotation_files(path, ".csv"))
    return path.suffix.lower() == ".csv"


def read_rows(path: Path, context: ReadContext) -> Iterator[Found]:
    """Yield the rows of a CSV, or of all CSV files in a folder; blank lines are skipped.

    The columns are those of `dataset.annotations.csv.columns`, those of a header with usual
    names, or else in the order `file, label, xmin, ymin, xmax, ymax` or another usual order.

    Raises:
        AnnotationError: A file is not a CSV, or its columns are unknown.
    """
    paths = annotation_files(path, ".csv") if path.is_dir() else [path]
    if not paths:
        raise AnnotationError(f"{path}: holds no .csv file")
    for each in paths:
        source = each.relative_to(path).as_posix() if path.is_dir() else each.name
        yield from _read_file(each, source, context)


def _read_file(path: Path, source: str, context: ReadContext) -> Iterator[Found]:
    encoding, delimiter = _dialect(path, context.settings.csv.delimiter)
    if delimiter != context.settings.csv.delimiter:
        yield Decision(f"delimiter {delimiter!r} recognized", source)
    rows = _rows(path, encoding, delimiter)
    peeked = list(islice(rows, _PEEKED))
    if not peeked:
        return
    columns = _find_columns(path, [cells for _, cells in peeked], context)
    if name := context.settings.csv.group:
        header = peeked[0][1] if columns.has_header else []
        columns = replace(columns, group=_position(path, header, columns.count, name))
    if columns.order != _Columns.order:
        yield Decision(f"columns read as {columns.order}", source)
    for line, cells in chain(peeked[1:] if columns.has_header else peeked, rows):
        if len(cells) == columns.count:
            yield _row(source, line, cells, columns, context, delimiter)
        else:
            reason = f"{len(cells)} columns, expected {columns.count}: {columns.order}"
            yield BadRow(source, line, reason)


def _row(
    source: str,
    line: int,
    cells: Sequence[str],
    columns: _Columns,
    context: ReadContext,
    delimiter: str,
) -> RawRow:
    label = "" if columns.label is None else cells[columns.label]
    box = [cells[index] for index in columns.box]
    if len(box) == 1:
        box = [cell.strip() for cell in box[0].strip("[]() ").split(",")] if box[0] else []
    if delimiter != ",":
        box = [_DECIMAL_COMMA.sub(lambda number: number[0].replace(",", "."), it) for it in box]
    if not any(box) and not label:
        box = []
    file = context.settings.csv.file.replace("{label}", label)
    return RawRow(
        source,
        line,
        file.replace("{file}", cells[columns.file]) if cells[columns.file] else "",
        label,
        box,
        stated_size(*(cells[index] for index in columns.size)) if columns.size else None,
        box_format=columns.box_format,
        group="" if columns.group is None else cells[columns.group],
    )


def write_predictions(
    predictions: pd.DataFrame, class_names: Sequence[str], image: ImageSettings
) -> dict[str, str]:
    """Return the predicted boxes as one CSV that the default settings read.

    Args:
        predictions: The table `predictions`.
        class_names: Name of each class, in the order of the labels.
        image: Shape of the images; not used.

    Returns:
        `predictions.csv` with a header and relative corners, by its name.
    """
    corners = predicted_boxes(predictions, "rel_xyxy", image)
    table = pd.DataFrame(corners, columns=list(BOX_COLUMNS))
    table["file"] = predictions["file"].to_numpy()
    table["label"] = [class_names[label] for label in predictions["predicted_label"]]
    text = table[list(ANNOTATION_COLUMNS)].to_csv(
        index=False, float_format="%.8f", lineterminator="\n"
    )
    return {"predictions.csv": text}


def _dialect(path: Path, delimiter: str) -> tuple[str, str]:
    """Return the encoding and the delimiter of a file."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise UnreadableError(path, error) from error
    encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    first = start.decode(encoding, "replace").lstrip().splitlines()[:1]
    line = first[0] if first else ""
    if line.lower().startswith("sep=") and len(line) == 5:
        return encoding, line[4]
    if delimiter not in line:
        delimiter = next((it for it in _DELIMITERS if line.count(it) >= 4), delimiter)
    return encoding, delimiter


def _rows(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each row that is not blank."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for row in reader:
                cells = [cell.strip() for cell in row]
                is_separator = reader.line_num == 1 and cells[:1] in (
                    ["sep="],
                    [f"sep={delimiter}"],
                )
                if cells not in ([], [""]) and not is_separator:
                    yield reader.line_num, cells
    except (UnicodeError, csv.Error) as error:
        raise AnnotationError(f"{path}: not a valid UTF-8 CSV ({error}); correct it") from error
    except OSError as error:
        raise UnreadableError(path, error) from error


def _find_columns(path: Path, rows: Sequence[Sequence[str]], context: ReadContext) -> _Columns:
    first, configured = rows[0], context.settings.csv.columns
    has_label = len(context.class_names) > 1
    if configured:
        return _configured(path, first, configured)
    if found := _named(first, context.settings.csv_boxes, has_label=has_label):
        others = [cell for cell in first if _role(cell) is None]
        if found.label is None and others and not context.class_names:
            logger.warning(
                "%s: no column of the labels is known (%s), so all objects are of one class; if "
                "there is one, name the columns in dataset.annotations.csv.columns.",
                path,
                ", ".join(others),
            )
        return found
    if _is_header_with_other_names(first):
        raise AnnotationError(
            f"{path}: the first row, {','.join(first)}, is neither an annotated image nor a "
            f"header with the expected names, {','.join(ANNOTATION_COLUMNS)}; name the columns, "
            "in that order, in dataset.annotations.csv.columns"
        )
    return _ordered(rows, context.settings.csv_boxes, has_label=has_label)


def _configured(path: Path, first: Sequence[str], names: Sequence[str]) -> _Columns:
    """Return the columns that the settings name, or number from 1."""
    if all(name.isdecimal() for name in names):
        positions = [int(name) - 1 for name in names]
        if not all(0 <= position < len(first) for position in positions):
            raise AnnotationError(
                f"{path}: dataset.annotations.csv.columns numbers the columns from 1 to at most "
                f"{max(positions) + 1}, but the file has {len(first)}; correct them"
            )
        has_header = not any(is_number(first[position]) for position in positions[2:])
    elif missing := [name for name in names if name not in first]:
        raise AnnotationError(
            f"{path}: the header has no column {missing[0]!r}, it has {', '.join(first)}; "
            "correct dataset.annotations.csv (columns, delimiter)"
        )
    else:
        positions, has_header = [first.index(name) for name in names], True
    file, label, *box = positions
    return _Columns(len(first), file, label, tuple(box), has_header=has_header)


def _position(path: Path, header: Sequence[str], count: int, name: str) -> int:
    """Return the position of the column of the groups, given its name or number from 1."""
    if name in header:
        return header.index(name)
    if name.isdecimal() and 1 <= int(name) <= count:
        return int(name) - 1
    found = ", ".join(header) if header else f"{count} columns and no header"
    raise AnnotationError(
        f"{path}: has no column {name!r}, it has {found}; correct dataset.annotations.csv.group"
    )


def _named(first: Sequence[str], csv_boxes: str, *, has_label: bool) -> _Columns | None:
    """Return the columns of a header with usual names, or `None`."""
    at: dict[str, int] = {}
    for position, cell in enumerate(first):
        role = _role(cell)
        if role is not None:
            at.setdefault(role, position)
    if {"x", "y"} <= at.keys() and "w" not in at:
        at |= {side: at[name] for side, name in zip("wh", _SIZE, strict=True) if name in at}
        at = {role: position for role, position in at.items() if role not in _SIZE}
    prefix = "rel_" if csv_boxes.startswith("rel_") else ""
    kinds = {BOX_COLUMNS: f"{prefix}xyxy", _SIDES: f"{prefix}xywh", ("box",): f"{prefix}xywh"}
    roles = next((names for names in kinds if set(names) <= at.keys()), None)
    if roles is None or "file" not in at or (has_label and "label" not in at):
        return None
    names = [name.lower() for name in first]
    is_default = sorted(names) == sorted(ANNOTATION_COLUMNS)
    return _Columns(
        len(first),
        at["file"],
        at.get("label"),
        tuple(at[role] for role in roles),
        size=tuple(at[name] for name in _SIZE) if set(_SIZE) <= at.keys() else (),
        box_format="" if is_default else kinds[roles],
        has_header=True,
        order=_Columns.order if is_default else ",".join(first),
    )


def _role(name: str) -> str | None:
    """Return the role of a column with a usual name."""
    return _ROLES.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def _ordered(rows: Sequence[Sequence[str]], csv_boxes: str, *, has_label: bool) -> _Columns:
    """Return the columns of a file without a header, from the first row with a box."""
    row = next((row for row in rows if any(map(is_number, row))), rows[0])
    numeric = [is_number(cell) for cell in row]
    prefix = "rel_" if csv_boxes.startswith("rel_") else ""
    if len(row) == 5 and not has_label:
        return _Columns(5, 0, None, (1, 2, 3, 4), order=",".join(("file", *BOX_COLUMNS)))
    if len(row) == 6 and all(numeric[1:5]) and not numeric[5]:
        return _Columns(6, 0, 5, (1, 2, 3, 4), order=",".join(("file", *BOX_COLUMNS, "label")))
    if len(row) == 8 and has_image_suffix(row[5]):
        order = "label,x,y,width,height,file,image width,image height"
        return _Columns(8, 5, 0, (1, 2, 3, 4), (6, 7), f"{prefix}xywh", order=order)
    if len(row) == 8 and all(numeric[1:3]) and not numeric[3]:
        order = ",".join(("file", "image width", "image height", "label", *BOX_COLUMNS))
        return _Columns(8, 0, 3, (4, 5, 6, 7), (1, 2), f"{prefix}xyxy", order=order)
    return _Columns(6, 0, 1, (2, 3, 4, 5))


def _is_header_with_other_names(row: Sequence[str]) -> bool:
    """Return whether a row is words and no image, so that its order is not known."""
    return (
        len(row) >= 5
        and not any(map(has_image_suffix, row))
        and all(cell and not is_number(cell) for cell in row)
    )


FORMAT = AnnotationFormat(
    box_format=None, read=read_rows, write=write_predictions, matches=matches, is_general=True
)
