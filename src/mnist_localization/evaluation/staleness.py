"""Whether model, splits and predictions belong together."""

import hashlib
import logging
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy.typing as npt
import pandas as pd

from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images import SplitMetadata
from mnist_localization.errors import StaleError
from mnist_localization.models.provenance import Provenance

logger = logging.getLogger(__name__)

# Keys of `predictions.attrs`, which Parquet keeps beside the columns.
MODEL_FINGERPRINT = "model_fingerprint"
SPLIT_FINGERPRINT = "split_fingerprint"


class Localizer(Protocol):
    """A Keras model, as far as its identity goes."""

    def get_weights(self) -> list[npt.NDArray[Any]]:
        """All weights, in order."""


def model_fingerprint(localizer: Localizer) -> str:
    """SHA-256 of a model's weights: the same before saving and after loading."""
    digest = hashlib.sha256()
    for weight in localizer.get_weights():
        digest.update(f"{weight.dtype}{weight.shape}".encode())
        digest.update(weight.tobytes())
    return digest.hexdigest()


def with_fingerprints(
    predictions: pd.DataFrame, localizer: Localizer, test: SplitMetadata
) -> pd.DataFrame:
    """The predictions with the fingerprints of what they were made from in their `attrs`."""
    result = predictions.copy(deep=False)
    result.attrs = {
        MODEL_FINGERPRINT: model_fingerprint(localizer),
        SPLIT_FINGERPRINT: test.fingerprint,
    }
    return result


def stale_model(provenance: Provenance, splits: Sequence[SplitMetadata]) -> list[str]:
    """What does not fit between a model and the splits on disk.

    Args:
        provenance: Facts about the training that the model carries.
        splits: The splits on disk.

    Returns:
        One sentence a mismatch, naming both sides; empty where all fits or nothing is known.
    """
    mismatches = []
    for meta in splits:
        known = provenance.fingerprint(meta.split)
        if known is not None and known != meta.fingerprint:
            mismatches.append(
                f"the localizer was made with the {meta.split} split {_short(known)}, but "
                f"{meta.split}_split on disk is {_short(meta.fingerprint)} (source "
                f"{meta.source!r}); run `kedro run --pipeline=train` to bring them together"
            )
    return mismatches


def stale_card(dataset_card: DatasetCard, split: SplitMetadata) -> list[str]:
    """What does not fit between the dataset card and a split on disk.

    Args:
        dataset_card: The dataset `dataset_card`.
        split: A split on disk.

    Returns:
        One sentence that names both sources, or none.
    """
    if dataset_card.source == split.source:
        return []
    return [
        f"the {split.split} split on disk is of the source {split.source!r}, but dataset_card is "
        f"of {dataset_card.source!r}; run `kedro run --pipelines=fetch,annotate,split` to bring them together"
    ]


def stale_predictions(
    predictions: pd.DataFrame, localizer: Localizer, test: SplitMetadata
) -> list[str]:
    """What does not fit between predictions, the model and the test split on disk.

    Args:
        predictions: The table `predictions`, with its `attrs`.
        localizer: The model on disk.
        test: The test split on disk.

    Returns:
        One sentence a mismatch, naming both sides; empty where all fits or nothing is known.
    """
    present = {
        MODEL_FINGERPRINT: ("localizer", model_fingerprint(localizer)),
        SPLIT_FINGERPRINT: ("test_split", test.fingerprint),
    }
    mismatches = []
    for key, (name, fingerprint) in present.items():
        known = predictions.attrs.get(key)
        if known is not None and known != fingerprint:
            mismatches.append(
                f"the predictions were made from the {name} {_short(known)}, but {name} on disk "
                f"is {_short(fingerprint)}; run `kedro run --pipeline=evaluate` to bring them "
                "together"
            )
    return mismatches


def handle_stale(mismatches: Sequence[str], on_stale: Literal["warn", "error"]) -> None:
    """Say aloud what does not belong together.

    Args:
        mismatches: Sentences from `stale_model`, `stale_card` and `stale_predictions`.
        on_stale: `warn` logs each of them, `error` stops.

    Raises:
        StaleError: There are mismatches, and `on_stale` is `error`.
    """
    if mismatches and on_stale == "error":
        raise StaleError("; ".join(mismatches) + " (or set evaluate.on_stale to warn)")
    for mismatch in mismatches:
        logger.warning("Stale: %s", mismatch)


def _short(fingerprint: str) -> str:
    return str(fingerprint)[:12]
