import pytest

from mnist_localization.errors import AnnotationError
from support.annotation_files import VOC, assert_all_objects_are_read, read, write_voc

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
    with pytest.raises(AnnotationError, match=r"0\.xml: declares a document type"):
        read(folder, images, format="voc")


@pytest.mark.parametrize(
    "text",
    [
        *("", "<annotation>", "no", "<a>&unknown;</a>", "<a/>" + " " * 2**20),
        '<?xml version="1.0" encoding="unknown"?><a/>',
    ],
)
def test_a_file_that_is_not_the_xml_of_one_image_is_an_error(images, text):
    folder = write_voc(images)
    (folder / "0.xml").write_text(text, "utf-8")
    with pytest.raises(AnnotationError, match=r"0\.xml"):
        read(folder, images, format="voc")


def test_a_folder_without_xml_files_is_an_error(tmp_path, images):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AnnotationError, match=r"holds no \.xml file"):
        read(tmp_path / "empty", images, format="voc")
