import shutil
from pathlib import Path

import pytest

from mnist_localization.config.data import CsvSettings
from mnist_localization.data.annotations.reading import Annotations, read_annotations
from mnist_localization.data.boxes import ANNOTATION_COLUMNS
from mnist_localization.errors import AnnotationError
from support.annotation_files import (
    NAMES,
    OBJECTS,
    assert_all_objects_are_read,
    in_format,
    read,
)
from support.settings import section

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


@pytest.mark.parametrize("header", ["photo,kind,a,b,c,d", "Image,Label,xmin,ymin,xmax,bottom edge"])
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


@pytest.mark.parametrize("content", [b"\x81\x8da,0", b'a.png,"0,0.1,0.2,0.3,0.4\n'])
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
        CsvSettings(columns=("file", "label", "box"), delimiter=",", file="{file}")


def pixel_rows(order: str, delimiter: str = ",") -> list[str]:
    """Return the rows of `OBJECTS` with columns in an order."""
    rows = []
    for file, height, width, label, (left, top, right, bottom) in OBJECTS:
        values = {
            "f": file,
            "stem": file.rpartition(".")[0],
            "c": NAMES[label],
            "n": label,
            "l": left,
            "t": top,
            "r": right,
            "b": bottom,
            "w": right - left,
            "h": bottom - top,
            "W": width,
            "H": height,
            "box": f'"[{left}, {top}, {right - left}, {bottom - top}]"',
            "-": "x",
        }
        rows.append(delimiter.join(str(values[name]) for name in order.split()))
    return rows


@pytest.mark.parametrize(
    ("header", "order"),
    [
        ("filename,width,height,class,xmin,ymin,xmax,ymax", "f W H c l t r b"),
        ("", "f W H c l t r b"),
        ("", "f l t r b c"),
        ("", "c l t w h f W H"),
        (
            "label_name,bbox_x,bbox_y,bbox_w,bbox_h,image_name,width,height",
            "c l t w h f W H",
        ),
        ("image_id,width,height,bbox,source,label", "stem W H box - c"),
        ("Filename,Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId", "f W H l t r b n"),
        ("image,x,y,width,height,label", "f l t w h c"),
        ("image_path,x1,y1,x2,y2,class_name", "f l t r b c"),
        ("ymin,xmin,ymax,xmax,label,file", "t l b r c f"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_usual_columns_are_recognized(images, header, order, delimiter):
    lines = [header.replace(",", delimiter)] if header else []
    text = "\n".join([*lines, *pixel_rows(order, delimiter)])
    path = images.parent / "rows.csv"
    path.write_text(text, "utf-8")
    annotations = read(path, images, csv_boxes="xyxy")
    assert_all_objects_are_read(annotations)


def test_open_images_columns_are_recognized(images):
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf"
    assert_all_objects_are_read(
        read_bytes(
            images,
            "\n".join(
                [
                    header,
                    *(
                        f"{file},x,{NAMES[label]},1,{left / width},{right / width},"
                        f"{top / height},{bottom / height},0"
                        for file, height, width, label, (left, top, right, bottom) in OBJECTS
                    ),
                ]
            ).encode(),
        )
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("first", ["sep=;\n", ""])
def test_spreadsheet_exports_are_read(images, encoding, first):
    text = first + "file;label;xmin;ymin;xmax;ymax\na.png;ant;0,1;0,2;0,38;0,48\n"
    annotations = read_bytes(images, text.encode(encoding))
    assert annotations.table.iloc[0].tolist() == ["a.png", 0, 0.1, 0.2, 0.38, 0.48]


def test_columns_can_be_numbered(images):
    path = images.parent / "rows.csv"
    path.write_text("\n".join(pixel_rows("- n f l t r b")), "utf-8")
    columns = ("3", "2", "4", "5", "6", "7")
    assert_all_objects_are_read(read(path, images, csv_boxes="xyxy", csv={"columns": columns}))
    with pytest.raises(AnnotationError, match="numbers the columns"):
        read(path, images, csv={"columns": ("3", "2", "4", "5", "6", "8")})


def test_a_folder_of_files_and_images_in_folders_of_their_class_are_read(images):
    folder = images.parent / "csv"
    folder.mkdir()
    for name in ("ant", "bee"):
        (images / name).mkdir()
        shutil.copy(images / "a.png", images / name / "1.png")
        (folder / f"{name}.csv").write_text(f"1.png,10,5,50,30,{name}\n", "utf-8")
    annotations = read(folder, images, csv_boxes="xyxy", csv={"file": "{label}/{file}"})
    assert annotations.table["file"].tolist() == ["ant/1.png", "bee/1.png"]
    assert annotations.table["label"].tolist() == [0, 1]


def test_rows_without_label_and_box_are_images_without_an_object(images):
    annotations = read_bytes(images, f"{GOOD}\nb.jpg,,,,,\n".encode())
    assert annotations.negatives == ("b.jpg",)
    assert annotations.bad_rows == ()


def test_the_only_class_needs_no_column(images):
    path = images.parent / "rows.csv"
    path.write_text("a.png,0.1,0.2,0.3,0.4\n", "utf-8")
    dataset = section("dataset", class_names=("plate",))
    assert read_annotations(path, images, images.parent, dataset).table["label"].tolist() == [0]
