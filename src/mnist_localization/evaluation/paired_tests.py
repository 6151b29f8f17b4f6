"""Tests of the difference between models that have predicted the same images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

PAIRED_COLUMNS = (
    *("run", "reference", "score", "difference", "low", "high", "images", "differing"),
    *("p", "p_corrected", "result"),
)
# A difference is significant if its corrected p-value is below this.
LEVEL = 0.05
# Images resampled at a time by the bootstrap.
_RESAMPLED = 2_000_000


def paired_tests(
    predictions: Mapping[str, pd.DataFrame], resamples: int, seed: int
) -> pd.DataFrame:
    """Compare each model with the first one, on the images that both have predicted.

    The label accuracy is tested by the exact McNemar test, the mean IoU by the paired bootstrap.
    The p-values of each score are corrected by the method of Holm (1979) for the number of models.

    Args:
        predictions: Name of a run and its table `predictions`, the reference first.
        resamples: Number of resamples of the bootstrap.
        seed: Seed of the bootstrap.

    Returns:
        Two rows per further model, columns `PAIRED_COLUMNS`: the difference of the score from
        that of the reference, its 95 % interval, the number of images and of those that differ,
        and the p-values.
    """
    reference, *others = predictions
    rows = []
    for run in others:
        pair = _paired(predictions[reference], predictions[run])
        for score, values in {"label_accuracy": "is_correct", "mean_iou": "iou"}.items():
            change = pair[f"{values}_run"].to_numpy(float) - pair[values].to_numpy(float)
            low, high, p = bootstrap_difference(change, resamples, seed)
            if score == "label_accuracy":
                p = mcnemar(int((change > 0).sum()), int((change < 0).sum()))
            rows.append(
                {
                    "run": run,
                    "reference": reference,
                    "score": score,
                    "difference": float(change.mean()),
                    "low": low,
                    "high": high,
                    "images": len(change),
                    "differing": int((change != 0).sum()),
                    "p": p,
                }
            )
    table = pd.DataFrame(rows, columns=[name for name in PAIRED_COLUMNS if name not in _DERIVED])
    table["p_corrected"] = table.groupby("score")["p"].transform(lambda each: holm(each.tolist()))
    table["result"] = [_result(row) for row in table.itertuples()]
    return table[list(PAIRED_COLUMNS)]


_DERIVED = ("p_corrected", "result")


def mcnemar(better: int, worse: int) -> float:
    """Return the exact two-sided p-value of McNemar's test.

    Args:
        better: Number of images that only the second model has right.
        worse: Number of images that only the first model has right.
    """
    if better + worse == 0:
        return 1.0
    return float(binomtest(better, better + worse, 0.5).pvalue)


def bootstrap_difference(
    change: npt.NDArray[np.float64], resamples: int, seed: int
) -> tuple[float, float, float]:
    """Return the 95 % interval of the mean of paired differences, and the p-value that it is 0.

    Images are resampled, so the pairs stay together. The p-value is twice the share of the means
    on the other side of 0, and at least that of one resample.

    Args:
        change: Difference of each image, `[n]`.
        resamples: Number of resamples.
        seed: Seed of the draws.
    """
    if not change.any():
        return 0.0, 0.0, 1.0
    generator, means = np.random.default_rng(seed), []
    at_once = max(1, _RESAMPLED // len(change))
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start), len(change)
        means.append(change[generator.integers(len(change), size=size)].mean(axis=1))
    found = np.concatenate(means)
    low, high = np.quantile(found, (0.025, 0.975)).tolist()
    beyond = min((found <= 0).sum(), (found >= 0).sum())
    return low, high, float(min(1.0, 2 * (beyond + 1) / (resamples + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, by the step-down method of Holm (1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, float)[order] * factors)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected.tolist()


def disagreements(predictions: Mapping[str, pd.DataFrame], count: int) -> pd.DataFrame:
    """Return the images on which the models differ most.

    Args:
        predictions: Name of a run and its table `predictions`.
        count: Number of images at most.

    Returns:
        Column `file`; images of which only some models have the label right come first, then
        those with the largest differences of IoU.
    """
    tables = [_outcomes(table).set_index("file") for table in predictions.values()]
    correct = pd.concat([table["is_correct"] for table in tables], axis=1, join="inner")
    iou = pd.concat([table["iou"] for table in tables], axis=1, join="inner")
    spread = pd.DataFrame(
        {
            "is_mixed": correct.nunique(axis=1) > 1,
            "range": iou.max(axis=1) - iou.min(axis=1),
        }
    )
    spread = spread[spread["is_mixed"] | (spread["range"] > 0)]
    chosen = spread.sort_values(["is_mixed", "range"], ascending=False, kind="stable")
    return chosen.head(count).rename_axis("file").reset_index()[["file"]]


def _paired(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return the outcomes of the images of both tables, matched by file."""
    return _outcomes(first).merge(
        _outcomes(second), on="file", suffixes=("", "_run"), validate="one_to_one"
    )


def _outcomes(table: pd.DataFrame) -> pd.DataFrame:
    is_correct = table["label"] == table["predicted_label"]
    return table[["file", "iou"]].assign(is_correct=is_correct)


def _result(row: Any) -> str:
    if row.p_corrected >= LEVEL:
        return f"no difference at the {LEVEL:.0%} level"
    return f"{'higher' if row.difference > 0 else 'lower'} at the {LEVEL:.0%} level"
