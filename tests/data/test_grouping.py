import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_localization.data.annotations.reading import read_annotations
from mnist_localization.data.grouping import (
    check_groups,
    group_names,
    hold_out_groups,
    stratified_folds,
)
from mnist_localization.data.splitting import divide_rows
from mnist_localization.errors import AnnotationError
from support.settings import section

DATASET = section("dataset", class_names=("a", "b", "c"))


@st.composite
def grouped_rows(draw):
    groups = draw(st.lists(st.integers(1, 9), min_size=2, max_size=30))
    numbers = np.repeat(np.arange(len(groups)), groups)
    seed = draw(st.integers(0, 1000))
    labels = np.random.default_rng(seed).integers(0, 3, len(numbers))
    order = np.random.default_rng(seed).permutation(len(numbers))
    return labels[order], numbers[order]


@given(grouped_rows(), st.floats(0.05, 0.6), st.integers(0, 5))
@settings(deadline=None)
def test_no_group_is_divided_and_shares_are_as_close_as_the_groups_allow(rows, share, seed):
    labels, groups = rows
    chosen = hold_out_groups(labels, groups, share, seed)
    assert 0 < chosen.sum() < len(labels)
    assert not set(groups[chosen]) & set(groups[~chosen])
    # No single group can be moved to the other side to come closer to the shares of the classes.
    totals = np.maximum(np.bincount(labels, minlength=3), 1)

    def deviation(mask):
        return (((np.bincount(labels[mask], minlength=3) / totals) - share) ** 2).sum()

    for group in np.unique(groups[~chosen]):
        wider = chosen | (groups == group)
        if len(np.unique(groups[chosen])) > 1 and not wider.all():
            assert deviation(wider) >= deviation(chosen) - 1e-6


@given(grouped_rows(), st.integers(2, 5), st.integers(0, 5))
@settings(deadline=None)
def test_no_group_is_in_two_folds_and_no_fold_is_empty(rows, count, seed):
    labels, groups = rows
    if groups.max() + 1 < count:
        with pytest.raises(AnnotationError, match="groups cannot be divided into"):
            stratified_folds(labels, count, seed, groups)
        return
    folds = stratified_folds(labels, count, seed, groups)
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    assert set(folds) <= set(range(count))


@given(st.lists(st.integers(0, 3), min_size=6, max_size=80), st.integers(2, 6))
@settings(deadline=None)
def test_folds_without_groups_are_equal_in_size_and_shares(labels, count):
    labels = np.array(labels)
    folds = stratified_folds(labels, count, seed=1)
    sizes = np.bincount(folds, minlength=count)
    assert sizes.max() - sizes.min() <= 1
    for label in np.unique(labels):
        of_label = np.bincount(folds[labels == label], minlength=count)
        assert of_label.max() - of_label.min() <= 1


def test_many_groups_give_nearly_exact_shares_quickly():
    random = np.random.default_rng(0)
    groups = random.integers(0, 20_000, 100_000)
    groups = np.unique(groups, return_inverse=True)[1]
    labels = random.integers(0, 10, len(groups))
    chosen = hold_out_groups(labels, groups, 0.1, 1)
    shares = np.bincount(labels[chosen]) / np.bincount(labels)
    np.testing.assert_allclose(shares, 0.1, atol=0.0005)


def table(files, labels=None, **columns):
    rows = {"file": files, "label": labels or [0] * len(files), "xmin": 0.1, "ymin": 0.1}
    return pd.DataFrame({**rows, "xmax": 0.5, "ymax": 0.5, **columns})


@pytest.mark.parametrize("pattern", [r"^([^/]+)/", r"^[a-z]+"])
def test_a_pattern_names_the_groups(pattern):
    assert group_names(table(["cam/1.png", "two/1.png"]), pattern).tolist() == ["cam", "two"]


def test_images_without_a_group_are_an_error_that_names_them():
    with pytest.raises(AnnotationError, match=r"no group for 1 images, such as 1\.png"):
        group_names(table(["a/1.png", "1.png"]), "^([^/]+)/")
    with pytest.raises(AnnotationError, match=r"name their column in dataset\.annotations\.csv"):
        group_names(table(["a/1.png"]), "column")
    with pytest.raises(AnnotationError, match="one group only"):
        hold_out_groups(np.zeros(3, int), np.zeros(3, int), 0.5, 0)


def test_a_group_in_two_given_sets_is_an_error_that_names_it():
    names = {"train": pd.Series(["x", "y"]), "test": pd.Series(["z", "y"])}
    with pytest.raises(AnnotationError, match=r"1 groups .* train and in the test images.* y"):
        check_groups(names)


@pytest.fixture
def rows():
    files = [f"cam{number % 8}/{number}.png" for number in range(160)]
    return table(files, [number % 3 for number in range(160)])


@pytest.mark.parametrize("fold", ["", "1/4", "4/4"])
def test_validation_and_test_split_share_no_group_with_others(rows, fold):
    split = section("split", group_by="^(cam[0-9])/", fold=fold, test_share=0.25)
    parts = divide_rows(split, DATASET, 1, {"train": rows})
    assert sum(map(len, parts.values())) == len(rows)
    groups = [set(part["file"].str[:4]) for part in parts.values()]
    assert sum(map(len, groups)) == 8


def test_each_row_is_in_the_test_split_of_one_fold(rows):
    found = []
    for fold in range(1, 6):
        split = section("split", fold=f"{fold}/5")
        # The folds do not depend on the seed of the training, nor on a given test set.
        tables = {"train": rows, "test": rows[:3]}
        found += divide_rows(split, DATASET, fold, tables)["test"]["file"].tolist()
    assert sorted(found) == sorted(rows["file"])


@pytest.mark.parametrize("value", ["0/5", "6/5", "1/1", "2", "a"])
def test_a_fold_that_does_not_exist_is_an_error(value):
    with pytest.raises(ValueError, match="fold/folds such as 1/5"):
        section("split", fold=value)


def test_groups_are_read_from_a_column_of_a_csv(tmp_path):
    (tmp_path / "images").mkdir()
    lines = ["file,label,xmin,ymin,xmax,ymax,camera"]
    for number in range(40):
        (tmp_path / "images" / f"{number}.png").touch()
        lines.append(f"{number}.png,a,0.1,0.1,0.5,0.5,camera {number % 5}")
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    changes = {"format": "csv", "csv": {"group": "camera"}}
    dataset = section("dataset", class_names=("a", "b"), annotations=changes)
    found = read_annotations(tmp_path / "boxes.csv", tmp_path / "images", tmp_path, dataset)
    split = section("split", group_by="column", test_share=0.2)
    parts = divide_rows(split, dataset, 1, {"train": found.table})
    cameras = [set(part["group"]) for part in parts.values()]
    assert sum(map(len, cameras)) == 5
    wrong = section("dataset", annotations={"format": "csv", "csv": {"group": "patient"}})
    with pytest.raises(AnnotationError, match="has no column 'patient'"):
        read_annotations(tmp_path / "boxes.csv", tmp_path / "images", tmp_path, wrong)


def test_columns_of_a_csv_without_header_are_given_by_number(tmp_path):
    (tmp_path / "images").mkdir()
    # The first row contains a 7, which is no name of a column.
    rows = [f"{number}.png,7,0.1,0.1,0.5,0.5,camera {number % 5}" for number in range(40)]
    for number in range(40):
        (tmp_path / "images" / f"{number}.png").touch()
    (tmp_path / "boxes.csv").write_text("\n".join(rows))
    names = tuple("0123456789")

    def read(**csv):
        dataset = section("dataset", class_names=names, annotations={"format": "csv", "csv": csv})
        return read_annotations(tmp_path / "boxes.csv", tmp_path / "images", tmp_path, dataset)

    # YAML and `--params` give numbers as integers.
    found = read(columns=[1, 2, 3, 4, 5, 6], group=7).table
    assert sorted(set(found["group"])) == [f"camera {number}" for number in range(5)]
    with pytest.raises(AnnotationError, match="has no column 'camera', it has 7 columns and no"):
        read(columns=["1", "2", "3", "4", "5", "6"], group="camera")
