import pytest

from mnist_localization.errors import AnnotationError
from support.annotation_files import OBJECTS, VOC, assert_all_objects_are_read, read, write_voc

BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


def test_pascal_voc_files_are_read(images):
    assert_all_objects_are_read(read(write_voc(images), images, format="voc"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("doctype", [BOMB, EXTERNAL, "<!DOCTYPE annotation>"])
def test_a_document_type_is_rejected(images, doctype, encoding):
    folder = write_voc(images)
    text = doctype + VOC.format(1, 2, 3, 4, file="&e;", name="ant")
    (folder / "0.xml").write_bytes(text.encode(encoding))
    annotations = read(folder, images, format="voc")
    (bad,) = annotations.bad_rows
    assert str(bad).startswith("0.xml, line 1: declares a document type")
    assert len(annotations.table) == len(OBJECTS) - 1


@pytest.mark.parametrize(
    "text",
    [
        *("", "<annotation>", "no", "<a>&unknown;</a>", "<a/>" + " " * 2**20),
        '<?xml version="1.0" encoding="unknown"?><a/>',
    ],
)
def test_a_file_that_is_not_the_xml_of_one_image_is_a_bad_row(images, text):
    folder = write_voc(images)
    (folder / "0.xml").write_text(text, "utf-8")
    annotations = read(folder, images, format="voc")
    assert [bad.source for bad in annotations.bad_rows] == ["0.xml"]
    assert len(annotations.table) == len(OBJECTS) - 1


@pytest.mark.parametrize("encoding", ["utf8", "UTF-8", "gb2312", "latin-1", "utf-16"])
@pytest.mark.parametrize("start", ["", "\n", " \n"])
def test_any_encoding_and_blank_lines_before_the_declaration_are_read(images, encoding, start):
    folder = write_voc(images)
    path = folder / "0.xml"
    text = f'{start}<?xml version="1.0" encoding="{encoding}"?>\n{path.read_text("utf-8")}'
    path.write_bytes(text.encode(encoding))
    assert_all_objects_are_read(read(folder, images, format="voc"))


def test_an_image_is_found_by_the_name_of_its_xml(images):
    folder = write_voc(images)
    path = folder / "0.xml"
    path.rename(folder / "a.xml")
    path = folder / "a.xml"
    path.write_text(path.read_text("utf-8").replace(">a.png<", ">old.png<"), "utf-8")
    annotations = read(folder, images, format="voc")
    assert annotations.bad_rows == ()
    assert annotations.count_decisions() == {"image found by another name": 1}


def test_two_names_of_two_images_are_a_bad_row(images):
    folder = write_voc(images)
    (folder / "0.xml").rename(folder / "unannotated.xml")
    (bad,) = read(folder, images, format="voc").bad_rows
    assert "correct the name of the image" in str(bad)


def test_a_folder_without_xml_files_is_an_error(tmp_path, images):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AnnotationError, match=r"holds no \.xml file"):
        read(tmp_path / "empty", images, format="voc")
