"""Scores of repeated trainings: one row per repetition, their summary, and a Markdown table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mnist_localization.evaluation.metrics import Metric, all_metrics

# Columns of the table of repetitions before those of the scores.
FACTS = ("repetition", "architecture", "seed", "dataset_seed", "fold", "run", "epochs", "seconds")
STATISTICS = ("mean", "std", "min", "max")
_TITLES = {"mean": "mean", "std": "standard deviation", "min": "minimum", "max": "maximum"}
# Scores of the Markdown table besides the headline ones.
_ALSO_SHOWN = ("iou_at_75", "iou_at_90")


def summarize(repetitions: pd.DataFrame) -> pd.DataFrame:
    """Return mean, standard deviation (n - 1), minimum and maximum of each score.

    Args:
        repetitions: One row per repetition, columns `FACTS` and the keys of the metrics.

    Returns:
        One row per architecture and metric: `architecture, metric, n` and `STATISTICS`.
    """
    rows = []
    for architecture, group in repetitions.groupby("architecture", sort=False):
        for metric in _known(repetitions):
            values = group[metric.key]
            found = {name: float(getattr(values, name)()) for name in STATISTICS}
            rows.append({"architecture": architecture, "metric": metric.key, "n": len(values)})
            rows[-1] |= found
    return pd.DataFrame(rows)


def markdown_table(repetitions: pd.DataFrame, caption: str) -> str:
    """Return the repetitions and their summary as Markdown.

    Args:
        repetitions: One row per repetition, columns `FACTS` and the keys of the metrics.
        caption: Sentence below the table: command, date and machine.
    """
    metrics = [each for each in _known(repetitions) if each.headline or each.key in _ALSO_SHOWN]
    lines = [
        _line(["", *(metric.title for metric in metrics), "epochs", "training time"]),
        _line(["---", *["---:"] * (len(metrics) + 2)]),
    ]
    several = repetitions["architecture"].nunique() > 1
    summary = summarize(repetitions).set_index(["architecture", "metric"])
    for architecture, group in repetitions.groupby("architecture", sort=False):
        for row in group.to_dict("records"):
            scores = [metric.text(row[metric.key]) for metric in metrics]
            seconds = f"{row['seconds']:.0f} s"
            lines.append(_line([_code(row["repetition"]), *scores, row["epochs"], seconds]))
        for statistic in ("mean", "std", "min"):
            title = _TITLES[statistic] + (f" of `{architecture}`" if several else "")
            values = [
                metric.text(float(summary[statistic][architecture, metric.key]))
                for metric in metrics
            ]
            lines.append(_line([f"**{title}**", *values, "", ""]))
    return "\n".join([*lines, "", caption, ""])


def _known(repetitions: pd.DataFrame) -> Sequence[Metric]:
    return [metric for metric in all_metrics() if metric.key in repetitions]


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _code(name: object) -> str:
    return f"`{name}`"


def differing(names: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a readable name for each repetition, of the values that differ between them."""
    varied = [key for key in names[0] if len({str(each[key]) for each in names}) > 1]
    for each in names:
        parts = [f"{key.replace('_', '-')}-{str(each[key]).replace('/', '-of-')}" for key in varied]
        yield "_".join(parts) or "once"
