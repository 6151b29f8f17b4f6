import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_localization.errors import AnnotationError
from mnist_localization.splitting import stratified_holdout


def table(labels: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"file": [f"{n}.png" for n in range(len(labels))], "label": labels})


@given(
    counts=st.lists(st.integers(20, 60), min_size=2, max_size=5),
    share=st.floats(0.1, 0.5),
    seed=st.integers(0, 1000),
)
def test_the_holdout_is_a_partition_with_the_same_share_of_each_label(counts, share, seed):
    rows = table([label for label, count in enumerate(counts) for _ in range(count)])
    kept, held_out = stratified_holdout(rows, share, seed, "share")
    assert sorted([*kept["file"], *held_out["file"]]) == sorted(rows["file"])
    for label, count in enumerate(counts):
        assert (held_out["label"] == label).sum() == round(count * share)


def test_the_seed_alone_decides_the_draw():
    rows = table([n % 3 for n in range(90)])
    first, again, other = (stratified_holdout(rows, 0.2, seed, "share")[1] for seed in (1, 1, 2))
    assert first["file"].tolist() == again["file"].tolist()
    assert first["file"].tolist() != other["file"].tolist()


def test_too_few_rows_to_hold_one_out_are_an_error():
    with pytest.raises(AnnotationError, match=r"too few.*split\.test_share"):
        stratified_holdout(table([0, 1, 2]), 0.1, 0, "split.test_share")
