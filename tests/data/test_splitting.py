import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.dataset_card import SplitFiles
from mnist_localization.data.images.store import ImageStore
from mnist_localization.data.splitting import divide_rows, split_dataset, stratified_holdout
from mnist_localization.errors import AnnotationError
from support.dataset_cards import make_card
from support.settings import section

SETS = ["train", "validation", "test"]


def split_files(name: str) -> SplitFiles:
    archive = "test.zip" if name == "test" else "train.zip"
    return SplitFiles(annotations=f"{name}.csv", archive=archive, images=name)


def table(labels: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"file": [f"{n}.png" for n in range(len(labels))], "label": labels})


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=40),
    share=st.floats(0.05, 0.5),
    seed=st.integers(0, 1000),
)
def test_the_holdout_has_the_same_share_of_each_label(counts, share, seed):
    rows = table([label for label, count in enumerate(counts) for _ in range(count)])
    total = round(len(rows) * share)
    # The only row of a label is never held out.
    assume(total > 1 and min(counts) > 1)
    kept, held_out = stratified_holdout(rows, share, seed, "share")
    assert sorted([*kept["file"], *held_out["file"]]) == sorted(rows["file"])
    for label, count in enumerate(counts):
        assert abs((held_out["label"] == label).sum() - count * share) < 1
    assert abs(len(held_out) - total) <= 1


@pytest.mark.parametrize(("images", "share"), [(5, 0.1), (14, 0.1), (16, 0.1), (3, 0.3), (2, 0.1)])
def test_many_small_classes_together_give_the_share(images, share):
    rows = table([n % 1000 for n in range(1000 * images)])
    held_out = stratified_holdout(rows, share, 0, "share")[1]
    assert len(held_out) == round(1000 * images * share)
    counts = held_out["label"].value_counts()
    assert counts.max() - counts.reindex(range(1000), fill_value=0).min() <= 1
    # The seed determines which of the equal classes give a row.
    again, other = (stratified_holdout(rows, share, seed, "share")[1] for seed in (0, 1))
    assert held_out["file"].tolist() == again["file"].tolist()
    assert set(held_out["label"]) != set(other["label"]) or len(counts) == 1000


def test_labels_of_equal_size_give_equal_numbers():
    held_out = stratified_holdout(table([n % 4 for n in range(108)]), 0.1, 0, "share")[1]
    assert held_out["label"].value_counts().to_dict() == dict.fromkeys(range(4), 3)


def test_the_last_row_of_a_label_is_kept():
    kept, held_out = stratified_holdout(table([0] * 20 + list(range(1, 21))), 0.5, 0, "share")
    assert set(kept["label"]) == set(range(21))
    assert set(held_out["label"]) == {0}


def test_a_row_is_held_out_even_if_each_quota_rounds_to_zero():
    held_out = stratified_holdout(table([0] * 5 + [1] * 5), 0.1, 0, "share")[1]
    assert len(held_out) == 1


def test_the_draw_depends_on_the_seed_only():
    rows = table([n % 3 for n in range(90)])
    first, again, other = (stratified_holdout(rows, 0.2, seed, "share")[1] for seed in (1, 1, 2))
    assert first["file"].tolist() == again["file"].tolist()
    assert first["file"].tolist() != other["file"].tolist()


def test_a_warning_names_the_classes_that_a_held_out_split_misses(caplog):
    names = tuple(f"class {number}" for number in range(12))
    rows = table([0] * 40 + list(range(1, 12)))
    divide_rows(section("split"), section("dataset", class_names=names), 0, {"train": rows})
    for split in ("test", "validation"):
        assert (
            f"The {split} split has no image of 11 classes, so its metrics do not cover them: "
            f"{', '.join(names[1:11])} and 1 more." in caplog.text
        )


def test_without_a_test_set_three_disjoint_splits_are_drawn():
    rows = table([n % 10 for n in range(1000)])
    splits = divide_rows(section("split"), section("dataset"), 0, {"train": rows})
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 810,
        "validation": 90,
        "test": 100,
    }
    files = [file for split in splits.values() for file in split["file"]]
    assert sorted(files) == sorted(rows["file"])


def test_images_without_an_object_are_not_used():
    rows = table([n % 10 for n in range(50)])
    negative = pd.DataFrame({"file": ["empty.png"]})
    tables = {"train": pd.concat([rows, negative]), "test": table([0] * 9)}
    splits = divide_rows(section("split"), section("dataset"), 0, tables)
    files = {file for split in splits.values() for file in split["file"]}
    assert "empty.png" not in files
    assert all(split["label"].dtype == np.int64 for split in splits.values())


def test_validation_on_the_test_split_keeps_all_training_rows_and_warns(caplog):
    train, test = table([n % 10 for n in range(50)]), table([n % 10 for n in range(20)])
    settings = section("split", validation={"source": "test", "share": 0.0})
    splits = divide_rows(settings, section("dataset"), 0, {"train": train, "test": test})
    pd.testing.assert_frame_equal(splits["train"], train)
    assert splits["validation"] is splits["test"]
    pd.testing.assert_frame_equal(splits["test"], test)
    assert "The validation split is the test split" in caplog.text


@pytest.mark.parametrize("test_set", [True, False])
def test_a_given_validation_set_is_kept(test_set):
    tables = {name: table([n % 10 for n in range(50)]) for name in ("train", "validation")}
    if test_set:
        tables["test"] = table([n % 10 for n in range(20)])
    settings = section("split", validation={"source": "given"}, test_share=0.2)
    splits = divide_rows(settings, section("dataset"), 0, tables)
    pd.testing.assert_frame_equal(splits["validation"], tables["validation"])
    expected = (50, 20) if test_set else (40, 10)
    assert (len(splits["train"]), len(splits["test"])) == expected


def test_a_validation_set_must_be_given_to_be_used(caplog):
    tables = {name: table([n % 10 for n in range(50)]) for name in ("train", "test")}
    settings = section("split", validation={"source": "given"})
    with pytest.raises(AnnotationError, match=r"no validation set; set fetch\.folder"):
        divide_rows(settings, section("dataset"), 0, tables)
    divide_rows(section("split"), section("dataset"), 0, tables | {"validation": tables["test"]})
    assert "The validation images of the dataset are not used" in caplog.text


@pytest.mark.parametrize("name", ["validation", "test"])
def test_a_given_set_without_objects_is_an_error(name):
    tables = {each: table([n % 10 for n in range(50)]) for each in SETS}
    tables[name] = tables[name][:0]
    settings = section("split", validation={"source": "given"})
    with pytest.raises(AnnotationError, match=f"the {name} set has no annotated object; run"):
        divide_rows(settings, section("dataset"), 0, tables)


@pytest.mark.parametrize("validation_source", ["train", "test", "given"])
def test_the_images_of_each_split_come_from_the_folder_of_its_rows(tmp_path, validation_source):
    tables = {}
    for number, name in enumerate(SETS):
        folder = tmp_path / "raw" / "source" / name
        folder.mkdir(parents=True)
        rows = table([n % 2 for n in range(20)]).assign(xmin=0.1, ymin=0.1, xmax=0.9, ymax=0.9)
        for file in rows["file"]:
            Image.new("L", (8, 6), number).save(folder / file)
        tables[name] = rows
    decoded = split_dataset(
        section("split", validation={"source": validation_source, "share": 0.1}),
        section("dataset", image={"height": 6, "width": 8}),
        0,
        make_card(splits={name: split_files(name) for name in SETS}),
        tmp_path / "raw",
        tmp_path / "stores",
        tables["train"],
        tables["validation"],
        tables["test"],
        ClassNames(section("dataset").class_names),
    )
    stores = [ImageStore(split.folder) for split in decoded]
    assert [store.meta.split for store in stores] == ["train", "validation", "test"]
    drawn_from = [store.meta.drawn_from for store in stores]
    expected = "validation" if validation_source == "given" else validation_source
    assert drawn_from == ["train", expected, "test"]
    for store, source in zip(stores, drawn_from, strict=True):
        assert set(store.read(range(len(store))).ravel()) == {SETS.index(source)}


def test_too_few_rows_to_hold_one_out_are_an_error():
    with pytest.raises(AnnotationError, match=r"too few.*split\.test_share"):
        stratified_holdout(table([0, 1, 2]), 0.1, 0, "split.test_share")
