"""Registry of metrics: each module in this folder defines `METRICS`, a tuple of `Metric`.

A metric is defined here once. The stage `evaluate`, the HTML report, the model card, W&B and the
console collect the definitions from this folder, so adding a metric means adding one module:

    METRICS = (
        Metric(
            key="iou_at_80",
            title="IoU ≥ 0.8",
            description="Share of images whose box has an IoU of at least 0.8.",
            values=lambda outcomes: outcomes.iou >= 0.8,
            unit="share",
            interval="wilson",
        ),
    )
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    RAW_BOX_COLUMNS,
    image_sizes,
    paired_iou,
    pixel_corners,
)
from mnist_localization.registry import load_modules

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
    """A table of predictions and the arrays that several metrics derive from it.

    Attributes:
        table: One row per image, columns of the table `predictions`; at least one row.
        image: Shape of the images if the table does not contain their sizes.
        classes: Number of classes.
    """

    table: pd.DataFrame
    image: ImageSettings
    classes: int

    @cached_property
    def true_boxes(self) -> FloatArray:
        """Return the annotated boxes as relative corners, `[n, 4]`."""
        return self.table[list(BOX_COLUMNS)].to_numpy(np.float64)

    @cached_property
    def predicted_boxes(self) -> FloatArray:
        """Return the predicted boxes as relative corners, `[n, 4]`."""
        return self.table[list(PREDICTED_BOX_COLUMNS)].to_numpy(np.float64)

    @cached_property
    def label_correct(self) -> BoolArray:
        """Return whether the predicted label is the annotated one, `[n]`."""
        return (self.table["label"] == self.table["predicted_label"]).to_numpy()

    @cached_property
    def iou(self) -> FloatArray:
        """Return the IoU of predicted and annotated box, `[n]`, in [0, 1]."""
        return paired_iou(self.true_boxes, self.predicted_boxes)

    @cached_property
    def raw_iou(self) -> FloatArray:
        """Return the same for the predicted box before any snapping."""
        return paired_iou(self.true_boxes, self.table[list(RAW_BOX_COLUMNS)])

    def in_pixels(self, boxes: FloatArray) -> FloatArray:
        """Return relative corners of the images as corners in pixels, `[n, 4]`."""
        return pixel_corners(boxes, *image_sizes(self.table, self.image.height, self.image.width))


@dataclass(frozen=True)
class Metric:
    """Definition of a score.

    Attributes:
        key: Key in the dataset `metrics`.
        title: Name in tables and headings.
        description: One sentence that explains the score.
        values: Function that returns the values that the score summarizes. With an interval
            these are one per image, `[n]`; for `wilson` they are booleans.
        unit: `share` of the images (shown in percent), `ratio` (shown with four decimals) or
            `pixels`.
        interval: Method of the 95 % interval: `wilson` for shares, `bootstrap` for other
            statistics of per-image values, `None` for a score of the whole table.
        statistic: Summary of the values along `axis`: `np.mean` or `np.median`.
        higher_is_better: Direction of the score.
        headline: Whether reports and logs show it first, in [0, 1].
        rank: Position in tables; metrics of equal rank are ordered by key.
    """

    key: str
    title: str
    description: str
    values: Callable[[Outcomes], npt.NDArray[Any]]
    unit: Literal["share", "ratio", "pixels"]
    interval: Literal["wilson", "bootstrap"] | None
    statistic: Callable[..., Any] = np.mean
    higher_is_better: bool = True
    headline: bool = False
    rank: int = 100

    def score(self, outcomes: Outcomes) -> float:
        """Return the score of a table of predictions."""
        return float(self.statistic(self.values(outcomes)))

    def text(self, value: float) -> str:
        """Format a value with its unit, for example `98.50 %`."""
        if self.unit == "share":
            return f"{100 * value:.2f} %"
        return f"{value:.2f} px" if self.unit == "pixels" else f"{value:.4f}"


@cache
def all_metrics() -> tuple[Metric, ...]:
    """Return the metrics of all modules in this folder, ordered by rank and key."""
    modules = load_modules("evaluation/metrics").values()
    metrics = [metric for module in modules for metric in module.METRICS]
    return tuple(sorted(metrics, key=lambda metric: (metric.rank, metric.key)))
