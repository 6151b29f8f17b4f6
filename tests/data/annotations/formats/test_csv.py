from pathlib import Path

import pytest

from mnist_localization.config.data import CsvSettings
from mnist_localization.data.annotations.reading import Annotations
from mnist_localization.data.boxes import ANNOTATION_COLUMNS
from mnist_localization.errors import AnnotationError
from support.annotation_files import (
    NAMES,
    OBJECTS,
    assert_all_objects_are_read,
    in_format,
    read,
)

GOOD = "a.png,0,0.1,0.2,0.38,0.48"


def read_bytes(images: Path, content: bytes) -> Annotations:
    path = images.parent / "rows.csv"
    path.write_bytes(content)
    return read(path, images)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("header", ["", "file,label,xmin,ymin,xmax,ymax"])
def test_line_endings_byte_order_mark_and_header_are_optional(images, newline, mark, header):
    lines = [*([header] if header else []), GOOD, "deep/c.png,cat,0,0,1,1", ""]
    annotations = read_bytes(images, mark + newline.join(lines).encode())
    assert annotations.bad_rows == ()
    assert annotations.table.to_dict("records") == [
        {"file": "a.png", "label": 0, "xmin": 0.1, "ymin": 0.2, "xmax": 0.38, "ymax": 0.48},
        {"file": "deep/c.png", "label": 2, "xmin": 0.0, "ymin": 0.0, "xmax": 1.0, "ymax": 1.0},
    ]
    assert annotations.unannotated_images == 3


def test_a_header_defines_the_order_of_the_columns(images):
    annotations = read_bytes(images, b"label,file,ymin,xmin,ymax,xmax\n1,a.png,0.2,0.1,0.48,0.38\n")
    row = annotations.table.iloc[0]
    assert (row["file"], row["label"], row["xmin"], row["ymax"]) == ("a.png", 1, 0.1, 0.48)


@pytest.mark.parametrize("header", ["", "FILE , Label,xmin,ymin,xmax, YMAX\n"])
def test_blank_lines_are_skipped(images, header):
    annotations = read_bytes(images, f"\n  \r\n{header}\n{GOOD}\n\n".encode())
    assert annotations.bad_rows == ()
    assert annotations.table["file"].tolist() == ["a.png"]


@pytest.mark.parametrize(
    "header", ["filename,class,ymin,xmin,ymax,xmax", "Image,Label,xmin,ymin,xmax,ymax"]
)
def test_a_header_with_other_names_is_an_error(images, header):
    expected = ",".join(ANNOTATION_COLUMNS)
    with pytest.raises(
        AnnotationError,
        match=rf"rows\.csv: .*{header}.*{expected}.*dataset\.annotations\.csv\.columns",
    ):
        read_bytes(images, f"{header}\n{GOOD}\n".encode())


@pytest.mark.parametrize(
    "row",
    ["a.png,7,,,,", "a.png,7,x,y,z,w", "a.PNG,two,x,y,z,w", "x.gif,2,x,y,z,w", ",,,,,", "a,b,c"],
)
def test_a_bad_first_row_is_not_taken_for_a_header(images, row):
    annotations = read_bytes(images, f"{row}\n{GOOD}\n".encode())
    (bad,) = annotations.bad_rows
    assert (bad.source, bad.line) == ("rows.csv", 1)
    assert len(annotations.table) == 1


@pytest.mark.parametrize("content", [b"\xff\xfe\x00a", b'a.png,"0,0.1,0.2,0.3,0.4\n'])
def test_a_file_that_is_not_a_utf8_csv_is_an_error(images, content):
    with pytest.raises(AnnotationError, match=r"rows\.csv: not a valid UTF-8 CSV"):
        read_bytes(images, content)


@pytest.mark.parametrize(
    "box_format",
    [
        *("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw"),
        *("rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh"),
    ],
)
def test_columns_and_box_format_are_configurable(images, box_format):
    lines = ["id;p;q;r;s;kind;photo"]
    for number, (file, height, width, label, box) in enumerate(OBJECTS):
        cells = in_format(box_format, height, width, box)
        lines.append(";".join(map(str, [number, *cells, NAMES[label], file])))
    path = images.parent / "rows.csv"
    path.write_text("\n".join(lines), "utf-8")
    columns = ("photo", "kind", "p", "q", "r", "s")
    assert_all_objects_are_read(
        read(path, images, csv_boxes=box_format, csv={"columns": columns, "delimiter": ";"})
    )


def test_a_missing_column_is_reported_with_the_columns_of_the_header(images):
    path = images.parent / "rows.csv"
    path.write_text("photo,kind\n", "utf-8")
    with pytest.raises(AnnotationError, match=r"rows\.csv.*no column 'file'.*photo, kind"):
        read(path, images, csv={"columns": ("file", "kind", "a", "b", "c", "d")})


def test_six_columns_must_be_named():
    with pytest.raises(ValueError, match="six columns"):
        CsvSettings(columns=("file", "label", "box"), delimiter=",")
