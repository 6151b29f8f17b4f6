import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.data.annotations.image_names import ImageNames, UnknownImageError

FILES = ("a.png", "cat/b.JPG", "dog/b.jpg", "cat/only.jpeg", "deep/er/c.d.png", "photo")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("C:\\Users\\me\\images\\a.png", "a.png"),
        ("/home/me/set/a.png", "a.png"),
        ("../images/cat/b.JPG", "cat/b.JPG"),
        ("cat/b.jpg", "cat/b.JPG"),
        ("cat\\b", "cat/b.JPG"),
        ("images/dog/b.png", "dog/b.jpg"),
        ("only.jpeg", "cat/only.jpeg"),
        ("ONLY.JPG", "cat/only.jpeg"),
        ("only", "cat/only.jpeg"),
        ("c.d", "deep/er/c.d.png"),
    ],
)
def test_a_name_from_elsewhere_is_matched(name, file):
    assert ImageNames(FILES).find(name) == (file, True)


@pytest.mark.parametrize("name", ["a.png", "./a.png", "deep/../a.png", "photo", "cat//b.JPG"])
def test_a_name_as_in_the_folder_is_no_other_name(name):
    assert not ImageNames(FILES).find(name)[1]


@pytest.mark.parametrize("name", ["b", "b.jpg", "bird/b.png"])
def test_a_name_of_several_images_is_an_error(name):
    with pytest.raises(UnknownImageError, match="may be any of 2 images, such as 'cat/b.JPG'"):
        ImageNames(FILES).find(name)


@pytest.mark.parametrize("name", ["", ".", "..", "x.png", "/etc/passwd", "../../x", "c"])
def test_an_unknown_name_is_an_error(name):
    with pytest.raises(UnknownImageError):
        ImageNames(FILES).find(name)


paths = st.lists(st.text("aB.", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)


@given(st.sets(paths, max_size=8), paths, st.sampled_from(["", "/x/", "..\\", "C:\\"]))
def test_only_files_of_the_folder_are_found(files, name, prefix):
    names = ImageNames(files)
    try:
        found, _ = names.find(prefix + name)
    except UnknownImageError:
        return
    assert found in files


@given(st.sets(paths, min_size=1, max_size=8))
def test_each_file_is_found_by_its_path(files):
    names = ImageNames(files)
    for file in files:
        try:
            found, _ = names.find(file)
        except UnknownImageError:
            assert ".." in file.split("/") or "." in file.split("/")
        else:
            assert found in files
