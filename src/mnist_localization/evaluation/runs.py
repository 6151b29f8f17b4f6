"""Records of evaluated runs, and their comparison."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from mnist_localization.errors import LocalizationError
from mnist_localization.evaluation.breakdowns import Result
from mnist_localization.evaluation.metrics import Metric, all_metrics
from mnist_localization.evaluation.scores import Interval, Metrics, ScoredSplit
from mnist_localization.models.provenance import Provenance, run_name
from mnist_localization.models.runs import BEST, LATEST

_TRAINING_FACTS = {
    "architecture",
    "seed",
    "source",
    "train_images",
    "validation_images",
    "validated_on",
}


class RunRecord(Result):
    """The record that is kept of one evaluation.

    Attributes:
        run: Name of the run that trained the model.
        evaluated_at: Time of the evaluation, ISO 8601.
        model_fingerprint: SHA-256 of the model's weights.
        scores: Key of a metric to its value, and the number of `images`.
        intervals: Key of a metric to the low and high end of its 95 % interval.
        dataset: The images that were scored.
        training: Facts about the training that the model carries.
    """

    run: str
    evaluated_at: str
    model_fingerprint: str
    scores: dict[str, float | int]
    intervals: dict[str, Interval]
    dataset: ScoredSplit
    training: Provenance

    @property
    def key(self) -> str:
        """Return the name of the record: a run is evaluated once on each test split."""
        return f"{self.run}/{self.dataset.fingerprint[:12]}"


def run_record(
    metrics: Metrics, provenance: Provenance, model_fingerprint: str, evaluated_at: str
) -> RunRecord:
    """Create the record of an evaluation.

    Args:
        metrics: The dataset `metrics`.
        provenance: Facts about the training that the model carries.
        model_fingerprint: SHA-256 of the model's weights.
        evaluated_at: Time of the evaluation, ISO 8601.
    """
    return RunRecord(
        run=run_name(provenance, model_fingerprint),
        evaluated_at=evaluated_at,
        model_fingerprint=model_fingerprint,
        scores={**metrics.scores, "images": metrics.images},
        intervals=metrics.intervals,
        dataset=metrics.dataset,
        training=provenance,
    )


def training_facts(provenance: Provenance) -> dict[str, Any]:
    """Summarize the training of a model as flat names and values.

    Args:
        provenance: Facts about the training that the model carries.

    Returns:
        Architecture, seed, source, numbers of images, the split it was validated on, and each
        setting, a nested one under a name such as `optimizer.momentum`. Unknown facts are left
        out.
    """
    facts = provenance.model_dump(include=_TRAINING_FACTS, exclude_none=True)
    return flattened(provenance.settings) | facts


def load_records(run_history: Mapping[str, Callable[[], RunRecord]]) -> list[RunRecord]:
    """Load all records in the order of their evaluations.

    Args:
        run_history: Name of a record to the function that loads it.
    """
    # Names with a leading dot are temporary files of a killed save.
    is_complete = {name: not PurePosixPath(name).name.startswith(".") for name in run_history}
    records = [load() for name, load in run_history.items() if is_complete[name]]
    return sorted(records, key=lambda record: record.evaluated_at)


def chosen_records(
    records: Sequence[RunRecord],
    runs: Sequence[str],
    latest: int,
    find: Callable[[str], str],
) -> list[RunRecord]:
    """Select the records to compare.

    Args:
        records: All records, in the order of their evaluations.
        runs: Names of runs, their first or last characters, `latest` or `best`; the result has
            this order.
        latest: Number of latest runs to select if no run is named, the earliest first.
        find: Returns the name of the run that `latest` or `best` means.

    Returns:
        One record per run: those of the test split that all runs share and that was evaluated
        last, or else the last record of each run.

    Raises:
        LocalizationError: There are fewer than two runs, or a name matches no run, several, or
            one that was already selected.
    """
    names = list(dict.fromkeys(record.run for record in reversed(records)))[::-1]
    known = ", ".join(names) or "no run"
    chosen: list[str] = []
    for reference in runs:
        pattern = find(reference) if reference in (LATEST, BEST) else reference
        left = [name for name in names if name not in chosen]
        matching = [name for name in left if name.startswith(pattern) or name.endswith(pattern)]
        if len(matching) != 1:
            raise LocalizationError(
                f"compare.runs: {reference!r} matches {len(matching)} of the remaining runs, but "
                f"must match exactly one; evaluated are: {known}"
            )
        chosen += matching
    chosen = chosen or names[-latest:]
    if len(chosen) < 2:
        raise LocalizationError(
            f"A comparison needs two evaluated runs, but there is: {known}; train and evaluate "
            "again with other parameters, or name two in compare.runs"
        )
    by_split = {(record.run, record.dataset.fingerprint): record for record in records}
    for record in reversed(records):
        shared = [by_split.get((name, record.dataset.fingerprint)) for name in chosen]
        if None not in shared:
            return [each for each in shared if each is not None]
    last = {record.run: record for record in records}
    return [last[name] for name in chosen]


def score_table(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return the headline scores with their 95 % intervals as text, one row per run."""
    metrics = [metric for metric in all_metrics() if metric.headline]

    def shown(record: RunRecord, metric: Metric) -> str:
        if metric.key not in record.scores:
            return ""
        value = metric.text(record.scores[metric.key])
        interval = record.intervals.get(metric.key)
        return f"{value} ({' to '.join(map(metric.text, interval))})" if interval else value

    return pd.DataFrame(
        {"run": record.run, **{metric.title: shown(record, metric) for metric in metrics}}
        for record in records
    )


def comparison(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Build a table that compares runs.

    Args:
        records: At least two records.

    Returns:
        One row per quantity, all columns text: `section` (`run`, `scores`, `dataset` or
        `training`), `quantity`, and one column per run. Scores and dataset are complete; of the
        training only differences are listed. The text is empty if a run lacks the quantity.
    """
    rows = [("run", "evaluated_at", [record.evaluated_at for record in records])]
    sections = {
        "scores": [dict(record.scores) for record in records],
        "dataset": [record.dataset.model_dump() for record in records],
        "training": [flattened(record.training.to_json()) for record in records],
    }
    for section, columns in sections.items():
        # A dict keeps the order of the first record that has the quantity.
        for quantity in {name: None for column in columns for name in column}:
            values = [_text(quantity, column.get(quantity)) for column in columns]
            if section != "training" or len(set(values)) > 1:
                rows.append((section, quantity, values))
    names = [record.run for record in records]
    table = pd.DataFrame([values for _, _, values in rows], columns=names, dtype=str)
    table.insert(0, "section", [section for section, _, _ in rows])
    table.insert(1, "quantity", [quantity for _, quantity, _ in rows])
    return table


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values in one level, under names such as `optimizer.momentum`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _text(quantity: str, value: Any) -> str:
    if value is None:
        return ""
    if quantity.endswith("fingerprint"):
        return f"{value:.12}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
