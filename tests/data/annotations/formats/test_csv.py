from pathlib import Path

import pytest

from mnist_localization.data.annotations import COLUMNS, describe, read_annotations, require_good
from mnist_localization.data.boxes import BOX_COLUMNS
from mnist_localization.errors import AnnotationError

NAMES = ("zero", "one", "two")
GOOD = "a.png,0,0.1,0.2,0.38,0.48"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "b.png", "deep/c.png"):
        (folder / name).touch()
    return folder


def read(tmp_path: Path, images: Path, content: bytes):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    return read_annotations(path, images, NAMES)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("header", ["", "file,label,xmin,ymin,xmax,ymax"])
def test_every_dialect_gives_the_same_table(tmp_path, images, newline, mark, header):
    lines = [*([header] if header else []), GOOD, "deep/c.png,two,0,0,1,1", ""]
    found = read(tmp_path, images, mark + newline.join(lines).encode())
    assert found.bad_rows == ()
    assert found.table.to_dict("records") == [
        {"file": "a.png", "label": 0, "xmin": 0.1, "ymin": 0.2, "xmax": 0.38, "ymax": 0.48},
        {"file": "deep/c.png", "label": 2, "xmin": 0.0, "ymin": 0.0, "xmax": 1.0, "ymax": 1.0},
    ]
    assert found.unannotated_images == 1


def test_a_header_names_the_order_of_the_columns(tmp_path, images):
    found = read(tmp_path, images, b"label,file,ymin,xmin,ymax,xmax\n1,a.png,0.2,0.1,0.48,0.38\n")
    row = found.table.iloc[0]
    assert (row["file"], row["label"], row["xmin"], row["ymax"]) == ("a.png", 1, 0.1, 0.48)


@pytest.mark.parametrize("header", ["", "FILE , Label,xmin,ymin,xmax, YMAX\n"])
def test_blank_lines_do_not_count_wherever_they_are(tmp_path, images, header):
    found = read(tmp_path, images, f"\n  \r\n{header}\n{GOOD}\n\n".encode())
    assert found.bad_rows == ()
    assert found.table["file"].tolist() == ["a.png"]


@pytest.mark.parametrize(
    "header", ["filename,class,ymin,xmin,ymax,xmax", "Image,Label,xmin,ymin,xmax,ymax"]
)
def test_a_header_of_other_names_is_an_error_and_never_read_by_position(tmp_path, images, header):
    with pytest.raises(
        AnnotationError,
        match=rf"rows\.csv: .*{header}.*{','.join(COLUMNS)}.*dataset\.annotations\.csv\.columns",
    ):
        read(tmp_path, images, f"{header}\n{GOOD}\n".encode())


@pytest.mark.parametrize(
    "row",
    ["a.png,7,,,,", "a.png,7,x,y,z,w", "a.PNG,two,x,y,z,w", "x.gif,2,x,y,z,w", ",,,,,", "a,b,c"],
)
def test_a_bad_first_row_is_a_bad_row_and_no_header(tmp_path, images, row):
    found = read(tmp_path, images, f"{row}\n{GOOD}\n".encode())
    (bad,) = found.bad_rows
    assert (bad.csv, bad.line) == ("rows.csv", 1)
    assert len(found.table) == 1


def test_a_name_is_taken_as_the_folder_has_it(tmp_path, images):
    rows = ["./a.png,0,0,0,1,1", "deep//./c.png,0,0,0,1,1", "deep/../b.png,0,0,0,1,1"]
    rows += ["deep/../a.png,0,0,0,1,1"]
    found = read(tmp_path, images, "\n".join(rows).encode())
    assert found.table["file"].tolist() == ["a.png", "deep/c.png", "b.png"]
    assert [(bad.fault, bad.file) for bad in found.bad_rows] == [("annotated twice", "a.png")]
    assert found.unannotated_images == 0


def test_a_missing_image_is_told_with_the_folder_that_was_searched(tmp_path, images):
    (bad,) = read(tmp_path, images, b"x.png,0,0,0,1,1\n").bad_rows
    assert f"'x.png' does not exist in {images}" in str(bad)


def test_an_annotated_file_without_a_known_suffix_is_not_counted_as_unannotated(tmp_path, images):
    (images / "photo").touch()
    assert read(tmp_path, images, b"photo,0,0,0,1,1\n").unannotated_images == 3


@pytest.mark.parametrize(
    ("box", "expected"),
    [("-0.0000005,0,1.0000005,0.5", (0.0, 0.0, 1.0, 0.5)), ("0,0,1.00001,0.5", None)],
)
def test_rounding_at_the_border_is_clipped_and_more_is_refused(tmp_path, images, box, expected):
    found = read(tmp_path, images, f"a.png,0,{box}\n".encode())
    if expected:
        assert tuple(found.table.loc[0, list(BOX_COLUMNS)]) == expected
    else:
        assert [bad.fault for bad in found.bad_rows] == ["box outside the image"]


def test_a_box_that_lies_wholly_in_what_is_clipped_is_refused(tmp_path, images):
    (bad,) = read(tmp_path, images, b"a.png,0,1.0000001,0,1.0000002,0.5\n").bad_rows
    assert bad.fault == "box outside the image"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x.png,0,0.1,0.2,0.3,0.4", "does not exist"),
        ("../a.png,0,0.1,0.2,0.3,0.4", "leaves the folder"),
        ("/etc/passwd,0,0.1,0.2,0.3,0.4", "leaves the folder"),
        ("deep\\c.png,0,0.1,0.2,0.3,0.4", "leaves the folder"),
        ("b.png,3,0.1,0.2,0.3,0.4", "unknown label"),
        ("b.png,-1,0.1,0.2,0.3,0.4", "unknown label"),
        ("b.png,,0.1,0.2,0.3,0.4", "unknown label"),
        ("b.png,0,nan,0.2,0.3,0.4", "not finite"),
        ("b.png,0,0.1,0.2,inf,0.4", "not finite"),
        ("b.png,0,0.1,0.2,1.01,0.4", r"leaves \[0, 1\]"),
        ("b.png,0,-0.01,0.2,0.3,0.4", r"leaves \[0, 1\]"),
        ("b.png,0,0.3,0.2,0.1,0.4", "not ordered"),
        ("b.png,0,0.1,0.2,0.1,0.4", "not ordered"),
        ("b.png,0,0.1,0.2,zero,0.4", "not four numbers"),
        ("b.png,0,0.1,0.2,0.3", "5 columns, expected 6"),
        ("a.png,0,0.1,0.2,0.3,0.4", "annotated twice"),
    ],
)
def test_a_bad_row_is_listed_with_file_line_and_reason(tmp_path, images, row, reason):
    found = read(tmp_path, images, f"{GOOD}\n{row}\n".encode())
    assert len(found.table) == 1
    (bad,) = found.bad_rows
    assert (bad.csv, bad.line) == ("rows.csv", 2)
    with pytest.raises(AnnotationError, match=rf"rows.csv, line 2: .*{reason}"):
        require_good({"train": found}, drop_bad_rows=False, listed=5)


def test_bad_rows_can_be_set_aside_and_are_counted(tmp_path, images):
    found = read(tmp_path, images, f"{GOOD}\nx.png,0,0,0,1,1\nb.png,9,0,0,1,1\n".encode())
    require_good({"train": found}, drop_bad_rows=True, listed=5)
    report = describe(found, NAMES, listed=1)
    assert (report["rows"], report["good_rows"], report["bad_rows"]) == (3, 1, 2)
    assert len(report["bad_rows_listed"]) == 1
    assert report["images_per_class"] == {"zero": 1, "one": 0, "two": 0}


def test_a_long_listing_is_cut_and_says_so(tmp_path, images):
    rows = "\n".join(f"x{number}.png,0,0,0,1,1" for number in range(30))
    found = read(tmp_path, images, rows.encode())
    with pytest.raises(AnnotationError, match="30 bad rows(.|\n)*and 28 more"):
        require_good({"train": found}, drop_bad_rows=False, listed=2)


def test_a_split_without_a_good_row_is_an_error_even_when_bad_rows_are_dropped(tmp_path, images):
    found = read(tmp_path, images, b"x.png,0,0,0,1,1\n")
    with pytest.raises(AnnotationError, match="no good row"):
        require_good({"test": found}, drop_bad_rows=True, listed=2)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00a", b'a.png,"0,0.1,0.2,0.3,0.4\n'])
def test_what_is_no_csv_in_utf8_is_an_error_that_names_the_file(tmp_path, images, content):
    with pytest.raises(AnnotationError, match=r"rows\.csv"):
        read(tmp_path, images, content)
