"""Checks that model, splits, predictions and dataset card belong together."""

import logging
from collections.abc import Sequence
from typing import Literal

import pandas as pd

from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images.store import SplitMetadata
from mnist_localization.errors import StaleError
from mnist_localization.models.provenance import Localizer, Provenance, model_fingerprint

logger = logging.getLogger(__name__)

# Keys of `predictions.attrs`, which Parquet stores with the table.
RUN = "run"
MODEL_FINGERPRINT = "model_fingerprint"
SPLIT_FINGERPRINT = "split_fingerprint"


def with_fingerprints(
    predictions: pd.DataFrame, localizer: Localizer, test: SplitMetadata, run: str = ""
) -> pd.DataFrame:
    """Return the predictions with run, model and test split in their `attrs`."""
    result = predictions.copy(deep=False)
    result.attrs = {
        RUN: run,
        MODEL_FINGERPRINT: model_fingerprint(localizer),
        SPLIT_FINGERPRINT: test.fingerprint,
    }
    return result


def stale_model(provenance: Provenance, splits: Sequence[SplitMetadata]) -> list[str]:
    """Compare a model with the splits on disk.

    Args:
        provenance: Facts about the training that the model carries.
        splits: The splits on disk.

    Returns:
        One sentence per mismatch; empty if all match or nothing is known.
    """
    return [
        f"the localizer was trained with the {meta.split} split {known:.12}, but "
        f"{meta.split}_split on disk is {meta.fingerprint:.12} (source {meta.source!r}); run "
        "`kedro run --pipelines=train`"
        for meta in splits
        if (known := provenance.fingerprint(meta.split)) and known != meta.fingerprint
    ]


def stale_names(
    class_names: Sequence[str], provenance: Provenance | None, *splits: SplitMetadata
) -> list[str]:
    """Compare the class names of the annotations with those of splits and of a model.

    Returns:
        One sentence per mismatch; empty if all match or nothing is known.
    """
    others = {f"{meta.split}_split": meta.class_names for meta in splits}
    if provenance is not None:
        others["localizer"] = provenance.class_names
    return [
        f"{name} is of the classes {list(names)}, but class_names is {list(class_names)}; run "
        "`kedro run --pipelines=split,train,evaluate,publish`"
        for name, names in others.items()
        if names and tuple(names) != tuple(class_names)
    ]


def stale_card(dataset_card: DatasetCard, split: SplitMetadata) -> list[str]:
    """Compare the dataset card with a split on disk.

    Returns:
        One sentence if their sources differ, else nothing.
    """
    if dataset_card.source == split.source:
        return []
    return [
        f"the {split.split} split on disk is of the source {split.source!r}, but dataset_card is "
        f"of {dataset_card.source!r}; run `kedro run --pipelines=fetch,annotate,split`"
    ]


def stale_predictions(
    predictions: pd.DataFrame, localizer: Localizer, test: SplitMetadata
) -> list[str]:
    """Compare predictions with the model and the test split on disk.

    Args:
        predictions: The table `predictions` with its `attrs`.
        localizer: The model on disk.
        test: Metadata of the test split on disk.

    Returns:
        One sentence per mismatch; empty if all match or nothing is known.
    """
    present = {
        MODEL_FINGERPRINT: ("localizer", model_fingerprint(localizer)),
        SPLIT_FINGERPRINT: ("test_split", test.fingerprint),
    }
    return [
        f"the predictions were made from the {name} {known:.12}, but {name} on disk is "
        f"{fingerprint:.12}; run `kedro run --pipelines=evaluate`"
        for key, (name, fingerprint) in present.items()
        if (known := predictions.attrs.get(key)) and known != fingerprint
    ]


def handle_stale(mismatches: Sequence[str], on_stale: Literal["warn", "error"]) -> None:
    """Log mismatches as warnings, or raise an error.

    Args:
        mismatches: Sentences of `stale_model`, `stale_card` and `stale_predictions`.
        on_stale: Parameter `evaluate.on_stale`.

    Raises:
        StaleError: There are mismatches and `on_stale` is `error`.
    """
    if mismatches and on_stale == "error":
        raise StaleError("; ".join(mismatches) + " (or set evaluate.on_stale to warn)")
    for mismatch in mismatches:
        logger.warning("Stale: %s", mismatch)
