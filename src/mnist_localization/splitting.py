"""Drawing the validation rows, and where there is no test set the test rows, from the others."""

import numpy as np
import pandas as pd

from mnist_localization.errors import AnnotationError


def stratified_holdout(
    annotations: pd.DataFrame, share: float, seed: int, setting: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hold a share of the rows out, the same share of each label.

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
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        held_out[rows[: round(len(rows) * share)]] = True
    if held_out.all() or not held_out.any():
        raise AnnotationError(
            f"{len(annotations)} training rows are too few to hold out a share of {share:g} of "
            f"each label; set {setting}, or bring more images"
        )
    return annotations[~held_out], annotations[held_out]
