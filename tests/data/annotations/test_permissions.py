"""Files and folders of a dataset that the user may not read."""

from pathlib import Path

import pytest

from mnist_localization.data.annotations.annotating import raise_on_bad_rows
from mnist_localization.data.annotations.reading import Annotations
from mnist_localization.errors import AnnotationError, LocalizationError
from support.annotation_files import read, write_coco, write_images, write_voc, write_yolo
from support.privileges import open_folder, without_root


def write(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a small dataset; return the annotations and the file to lock."""
    images = write_images(folder / "images")
    if name == "csv":
        path = folder / "rows.csv"
        path.write_text("a.png,ant,0.1,0.1,0.5,0.5\n")
        return path, path
    if name == "csv folder":
        (folder / "tables").mkdir()
        for part in "ab":
            (folder / "tables" / f"{part}.csv").write_text("a.png,ant,0.1,0.1,0.5,0.5\n")
        return folder / "tables", folder / "tables" / "b.csv"
    if name == "coco":
        return write_coco(images), folder / "coco.json"
    if name == "voc":
        return write_voc(images), folder / "xml" / "2.xml"
    path = write_yolo(images)
    return path, path / ("classes.txt" if name == "yolo classes" else "a.txt")


def read_locked(name: str, annotations_format: str) -> tuple[Annotations, Path]:
    with open_folder() as folder:
        path, locked = write(folder, name)
        locked.chmod(0)
        with without_root():
            return read(path, folder / "images", format=annotations_format), locked


@pytest.mark.parametrize("is_auto", [False, True])
@pytest.mark.parametrize("name", ["csv", "csv folder", "coco", "yolo classes"])
def test_a_locked_annotation_file_is_an_error_that_names_it(name, is_auto):
    annotations_format = "auto" if is_auto else name.split()[0]
    with pytest.raises(AnnotationError, match=r"(csv|json|txt): permission denied; make the file"):
        read_locked(name, annotations_format)


@pytest.mark.parametrize("name", ["voc", "yolo"])
def test_a_locked_file_of_many_is_a_bad_row(name):
    annotations, locked = read_locked(name, name)
    assert len(annotations.table) == 3
    (bad,) = annotations.bad_rows
    assert locked.name in str(bad)
    assert "permission denied; make the file readable" in str(bad)


def test_a_locked_image_is_a_bad_row_if_its_size_is_needed():
    with open_folder() as folder:
        path, _ = write(folder, "coco")
        (folder / "images" / "a.png").chmod(0)
        with without_root():
            annotations = read(path, folder / "images", format="coco")
    (bad,) = annotations.bad_rows
    assert "a.png: permission denied" in str(bad)
    with pytest.raises(AnnotationError, match=r"a\.png: permission denied"):
        raise_on_bad_rows({"train": annotations}, drop_bad_rows=False, listed=5)


def test_a_locked_folder_of_images_is_an_error():
    with open_folder() as folder:
        path, _ = write(folder, "coco")
        (folder / "images" / "deep").chmod(0)
        with without_root(), pytest.raises(LocalizationError, match="deep: permission denied"):
            read(path, folder / "images", format="coco")
