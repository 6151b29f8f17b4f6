"""Calibration: whether a confidence of 0.9 is right nine times in ten."""

from typing import Any

import numpy as np
import pandas as pd


def calibration(predictions: pd.DataFrame, bins: int) -> dict[str, Any]:
    """Expected calibration error of the labels, and the bins it is made of.

    C. Guo et al., "On Calibration of Modern Neural Networks" (2017): the gap between accuracy
    and mean confidence of each bin, weighted by the bin's share of the images.

    Args:
        predictions: One row an image, columns `label, predicted_label, confidence`.
        bins: Number of bins of equal width over [0, 1].

    Returns:
        `ece` in [0, 1] and `bins`: a list of `low`, `high` (the bin holds confidences above
        `low` up to `high`), `images`, `confidence` and `accuracy` (null in an empty bin).
    """
    confidence = predictions["confidence"].to_numpy(np.float64)
    right = (predictions["label"] == predictions["predicted_label"]).to_numpy()
    edges = np.linspace(0.0, 1.0, bins + 1)
    member = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    rows: list[dict[str, Any]] = []
    error = 0.0
    for index in range(bins):
        inside = member == index
        images = int(inside.sum())
        row: dict[str, Any] = {
            "low": float(edges[index]),
            "high": float(edges[index + 1]),
            "images": images,
            "confidence": float(confidence[inside].mean()) if images else None,
            "accuracy": float(right[inside].mean()) if images else None,
        }
        if images:
            error += images * abs(row["accuracy"] - row["confidence"])
        rows.append(row)
    return {"ece": error / len(predictions), "bins": rows}
