"""Drawing the validation rows, and where there is no test set the test rows, from the others."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.errors import AnnotationError


def stratified_holdout(
    annotations: pd.DataFrame, share: float, seed: int, setting: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hold a share of the rows out, the same share of each label as nearly as rows are whole.

    A label's last row is never held out.

    Args:
        annotations: Rows with a column `label`.
        share: Share held out, in (0, 1).
        seed: Seed of the draw.
        setting: Name of the parameter that gives the share, for the error.

    Returns:
        The rows that stay and the rows held out, both in their order.

    Raises:
        AnnotationError: There are too few rows to leave one on either side.
    """
    random = np.random.default_rng(seed)
    held_out = np.zeros(len(annotations), dtype=bool)
    labels = annotations["label"].to_numpy()
    drawn = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    counts = _allocated(np.array([len(rows) for rows in drawn], dtype=np.int64), share, random)
    for rows, count in zip(drawn, counts.tolist(), strict=True):
        held_out[rows[:count]] = True
    if held_out.all() or not held_out.any():
        raise AnnotationError(
            f"{len(annotations)} training rows are too few to hold out a share of {share:g} of "
            f"each label; set {setting}, or bring more images"
        )
    return annotations[~held_out], annotations[held_out]


def _allocated(
    counts: npt.NDArray[np.int64], share: float, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """How many rows of each label are held out.

    Each share is rounded by itself, so that labels of one size give the same number. Where that
    misses the share of the whole by more than a row, as it does with many small labels, rows
    are given by largest remainder (https://en.wikipedia.org/wiki/Quota_method); ties are drawn.

    Args:
        counts: Rows of each label, `[n]`.
        share: Share held out.
        random: Draws among equal remainders.
    """
    quotas, total = counts * share, round(counts.sum() * share)
    rounded: npt.NDArray[np.int64] = np.minimum(np.rint(quotas).astype(np.int64), counts - 1)
    if rounded.any() and abs(int(rounded.sum()) - total) <= 1:
        return rounded
    # 0.29 * 100 falls short of 29, and 0.1 * 3 is more than 0.3: what is equal has to be so.
    quotas = np.round(quotas, 9)
    given: npt.NDArray[np.int64] = np.floor(quotas).astype(np.int64)
    remainders = np.round(quotas - given, 9)
    order = random.permutation(np.flatnonzero((remainders > 0) & (given < counts - 1)))
    order = order[np.argsort(-remainders[order], kind="stable")]
    given[order[: total - int(given.sum())]] += 1
    return given
