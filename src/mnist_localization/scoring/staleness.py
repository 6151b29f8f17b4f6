"""Whether model, splits and predictions belong together."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy.typing as npt
import pandas as pd

from mnist_localization.errors import StaleError
from mnist_localization.images import SplitMeta

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


def stamped(predictions: pd.DataFrame, localizer: Localizer, test: SplitMeta) -> pd.DataFrame:
    """The predictions with the fingerprints of what they were made from in their `attrs`."""
    result = predictions.copy(deep=False)
    result.attrs = {
        MODEL_FINGERPRINT: model_fingerprint(localizer),
        SPLIT_FINGERPRINT: test.fingerprint,
    }
    return result


def stale_model(provenance: Mapping[str, Any], splits: Sequence[SplitMeta]) -> list[str]:
    """What does not fit between a model and the splits on disk.

    Args:
        provenance: What the model knows of its training data: `<split>_fingerprint`.
        splits: The splits on disk.

    Returns:
        One sentence a misfit, naming both sides; empty where all fits or nothing is known.
    """
    misfits = []
    for meta in splits:
        known = provenance.get(f"{meta.split}_fingerprint")
        if known is not None and known != meta.fingerprint:
            misfits.append(
                f"the localizer was made with the {meta.split} split {_short(known)}, but "
                f"{meta.split}_split on disk is {_short(meta.fingerprint)} (source "
                f"{meta.source!r}); run `kedro run --pipeline=train` to bring them together"
            )
    return misfits


def stale_card(dataset_card: Mapping[str, Any], split: SplitMeta) -> list[str]:
    """What does not fit between the dataset card and a split on disk.

    Args:
        dataset_card: The dataset `dataset_card`.
        split: A split on disk.

    Returns:
        One sentence that names both sources, or none.
    """
    said = dataset_card.get("source")
    if said in (None, split.source):
        return []
    return [
        f"the {split.split} split on disk is of the source {split.source!r}, but dataset_card is "
        f"of {said!r}; run `kedro run --pipelines=fetch,annotate,split` to bring them together"
    ]


def stale_predictions(
    predictions: pd.DataFrame, localizer: Localizer, test: SplitMeta
) -> list[str]:
    """What does not fit between predictions, the model and the test split on disk.

    Args:
        predictions: The table `predictions`, with its `attrs`.
        localizer: The model on disk.
        test: The test split on disk.

    Returns:
        One sentence a misfit, naming both sides; empty where all fits or nothing is known.
    """
    present = {
        MODEL_FINGERPRINT: ("localizer", model_fingerprint(localizer)),
        SPLIT_FINGERPRINT: ("test_split", test.fingerprint),
    }
    misfits = []
    for key, (name, fingerprint) in present.items():
        known = predictions.attrs.get(key)
        if known is not None and known != fingerprint:
            misfits.append(
                f"the predictions were made from the {name} {_short(known)}, but {name} on disk "
                f"is {_short(fingerprint)}; run `kedro run --pipeline=evaluate` to bring them "
                "together"
            )
    return misfits


def tell_stale(misfits: Sequence[str], on_stale: Literal["warn", "error"]) -> None:
    """Say aloud what does not belong together.

    Args:
        misfits: Sentences from `stale_model`, `stale_card` and `stale_predictions`.
        on_stale: `warn` logs each of them, `error` stops.

    Raises:
        StaleError: There are misfits, and `on_stale` is `error`.
    """
    if misfits and on_stale == "error":
        raise StaleError("; ".join(misfits) + " (or set evaluate.on_stale to warn)")
    for misfit in misfits:
        logger.warning("Stale: %s", misfit)


def _short(fingerprint: str) -> str:
    return str(fingerprint)[:12]
