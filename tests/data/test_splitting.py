from pathlib import Path

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mnist_localization.config import (
    DatasetSettings,
    ImageSettings,
    SplitSettings,
    ValidationSettings,
)
from mnist_localization.data.splitting import stratified_holdout
from mnist_localization.errors import AnnotationError
from mnist_localization.pipelines.split.nodes import split_images
from support.dataset_cards import make_card


def table(labels: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"file": [f"{n}.png" for n in range(len(labels))], "label": labels})


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=40),
    share=st.floats(0.05, 0.5),
    seed=st.integers(0, 1000),
)
def test_the_holdout_is_a_partition_with_the_same_share_of_each_label(counts, share, seed):
    rows = table([label for label, count in enumerate(counts) for _ in range(count)])
    total = round(len(rows) * share)
    # A label's only row is never held out, so that it cannot count.
    assume(total > 1 and min(counts) > 1)
    kept, held_out = stratified_holdout(rows, share, seed, "share")
    assert sorted([*kept["file"], *held_out["file"]]) == sorted(rows["file"])
    for label, count in enumerate(counts):
        assert abs((held_out["label"] == label).sum() - count * share) < 1
    assert abs(len(held_out) - total) <= 1


@pytest.mark.parametrize(("images", "share"), [(5, 0.1), (14, 0.1), (16, 0.1), (3, 0.3), (2, 0.1)])
def test_many_small_classes_give_the_share_of_the_whole(images, share):
    rows = table([n % 1000 for n in range(1000 * images)])
    held_out = stratified_holdout(rows, share, 0, "share")[1]
    assert len(held_out) == round(1000 * images * share)
    counts = held_out["label"].value_counts()
    assert counts.max() - counts.reindex(range(1000), fill_value=0).min() <= 1
    # Which of the equal classes give a row is drawn, and drawn again the same.
    again, other = (stratified_holdout(rows, share, seed, "share")[1] for seed in (0, 1))
    assert held_out["file"].tolist() == again["file"].tolist()
    assert set(held_out["label"]) != set(other["label"]) or len(counts) == 1000


def test_labels_of_one_size_give_the_same_number_where_the_whole_allows():
    held_out = stratified_holdout(table([n % 4 for n in range(108)]), 0.1, 0, "share")[1]
    assert held_out["label"].value_counts().to_dict() == dict.fromkeys(range(4), 3)


def test_the_last_row_of_a_label_stays():
    kept, held_out = stratified_holdout(table([0] * 20 + list(range(1, 21))), 0.5, 0, "share")
    assert set(kept["label"]) == set(range(21))
    assert set(held_out["label"]) == {0}


def test_a_row_is_held_out_where_no_label_alone_gives_one():
    held_out = stratified_holdout(table([0] * 5 + [1] * 5), 0.1, 0, "share")[1]
    assert len(held_out) == 1


def test_the_seed_alone_decides_the_draw():
    rows = table([n % 3 for n in range(90)])
    first, again, other = (stratified_holdout(rows, 0.2, seed, "share")[1] for seed in (1, 1, 2))
    assert first["file"].tolist() == again["file"].tolist()
    assert first["file"].tolist() != other["file"].tolist()


def test_a_held_out_split_that_lacks_classes_is_warned_of_by_their_names(caplog):
    names = tuple(f"class {number}" for number in range(12))
    dataset = DatasetSettings(
        image=ImageSettings(height=8, width=8, channels=1),
        class_names=names,
        whole_pixel_boxes=False,
    )
    settings = SplitSettings(
        validation=ValidationSettings(source="train", share=0.1),
        test_share=0.1,
        max_image_mb=1.0,
        contact_sheet=1,
    )
    card = make_card(
        source="folder",
        splits={"train": {"annotations": "a.csv", "archive": "train.zip", "images": "images"}},
    )
    rows = table([0] * 40 + list(range(1, 12)))
    split_images(settings, dataset, 0, card, Path("raw"), rows, rows.head(0))
    for split in ("test", "validation"):
        assert (
            f"The {split} split holds no image of 11 classes, and its figures say nothing of "
            f"them: {', '.join(names[1:11])} and 1 more." in caplog.text
        )


def test_too_few_rows_to_hold_one_out_are_an_error():
    with pytest.raises(AnnotationError, match=r"too few.*split\.test_share"):
        stratified_holdout(table([0, 1, 2]), 0.1, 0, "split.test_share")
