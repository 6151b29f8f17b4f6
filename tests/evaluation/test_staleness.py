from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mnist_localization.data.images.store import SplitMetadata
from mnist_localization.errors import StaleError
from mnist_localization.evaluation.staleness import (
    handle_stale,
    stale_card,
    stale_model,
    stale_names,
    stale_predictions,
    with_fingerprints,
)
from mnist_localization.models.provenance import Provenance
from support.dataset_cards import make_card


class Model:
    def __init__(self, *weights: list[float]) -> None:
        self.weights = [np.array(weight, np.float32) for weight in weights]

    def get_weights(self) -> list[np.ndarray]:
        return self.weights


def meta(split: str, fingerprint: str) -> SplitMetadata:
    return SplitMetadata(split, "synthetic", "train", fingerprint * 64, "key")


def test_a_model_of_other_splits_is_reported_with_both_fingerprints() -> None:
    provenance = Provenance(train_fingerprint="a" * 64, validation_fingerprint="b" * 64)
    assert stale_model(provenance, [meta("train", "a"), meta("validation", "b")]) == []
    (mismatch,) = stale_model(provenance, [meta("train", "c"), meta("validation", "b")])
    assert "train split aaaaaaaaaaaa" in mismatch
    assert "train_split on disk is cccccccccccc" in mismatch


def test_a_model_without_provenance_is_not_stale() -> None:
    assert stale_model(Provenance(), [meta("train", "a")]) == []


def test_a_card_of_another_source_is_reported_with_both_sources() -> None:
    assert stale_card(make_card(source="synthetic"), meta("test", "a")) == []
    (mismatch,) = stale_card(make_card(source="upstream"), meta("test", "a"))
    assert "test split on disk is of the source 'synthetic'" in mismatch
    assert "dataset_card is of 'upstream'" in mismatch


def test_predictions_of_another_model_or_split_are_reported(tmp_path: Path) -> None:
    model, test = Model([1, 2], [3]), meta("test", "a")
    with_fingerprints(pd.DataFrame({"iou": [1.0]}), model, test).to_parquet(tmp_path / "p.parquet")
    loaded = pd.read_parquet(tmp_path / "p.parquet")
    assert stale_predictions(loaded, model, test) == []
    (of_model,) = stale_predictions(loaded, Model([1, 2], [4]), test)
    assert "localizer" in of_model
    (of_split,) = stale_predictions(loaded, model, meta("test", "b"))
    assert "test_split aaaaaaaaaaaa" in of_split
    assert "bbbbbbbbbbbb" in of_split
    # The same numbers in other shapes make another model.
    assert len(stale_predictions(loaded, Model([1], [2, 3]), test)) == 1


def test_adding_fingerprints_does_not_change_the_original_table() -> None:
    table = pd.DataFrame({"iou": [1.0]})
    assert with_fingerprints(table, Model([1]), meta("test", "a")).attrs
    assert table.attrs == {}


def test_mismatches_are_a_warning_or_an_error_as_configured(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handle_stale(["this is old", "so is that"], "warn")
    assert [record.getMessage() for record in caplog.records] == [
        "Stale: this is old",
        "Stale: so is that",
    ]
    with pytest.raises(StaleError, match=r"this is old; so is that .*on_stale"):
        handle_stale(["this is old", "so is that"], "error")
    handle_stale([], "error")


def test_class_names_of_splits_and_model_are_compared() -> None:
    test = replace(meta("test", "a"), class_names=("cat", "dog"))
    known = Provenance(class_names=("cat", "dog"))
    assert stale_names(("cat", "dog"), known, test) == []
    assert stale_names(("cat", "dog"), Provenance(), meta("test", "a")) == []
    first, second = stale_names(("ant", "cat"), known, test)
    assert "test_split is of the classes ['cat', 'dog'], but class_names is ['ant', 'cat']" in first
    assert "localizer is of the classes" in second
