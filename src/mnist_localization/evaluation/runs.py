"""What past evaluations scored, and how two of them differ."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mnist_localization.errors import LocalizationError
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.models.provenance import Provenance

# A record's sections, in the order of the comparison.
_SECTIONS = ("scores", "dataset", "training")
# What a reader wants to know of a training, beside its settings; the rest is for programs.
_TRAINING = (
    *("architecture", "seed", "source", "train_images", "validation_images"),
    "validated_on",
)

Record = Mapping[str, Any]


def run_record(
    metrics: Metrics,
    provenance: Provenance,
    model_fingerprint: str,
    evaluated_at: str,
) -> dict[str, Any]:
    """What is kept of one evaluation.

    Args:
        metrics: The dataset `metrics`.
        provenance: Facts about the training that the model carries.
        model_fingerprint: SHA-256 of the model's weights.
        evaluated_at: Time of the evaluation, ISO 8601.

    Returns:
        `run` (a name made from architecture and content: the same evaluation has the same
        one), `evaluated_at`, `model_fingerprint`, `scores`, `dataset` and `training`.
    """
    content = {
        "model_fingerprint": model_fingerprint,
        "scores": {**metrics.scores, "images": metrics.images},
        "dataset": metrics.dataset.model_dump(),
        "training": provenance.to_json(),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{provenance.architecture or 'model'}-{digest}"
    return {"run": name, "evaluated_at": evaluated_at, **content}


def training_facts(provenance: Provenance) -> dict[str, Any]:
    """How a model was trained, for a reader.

    Args:
        provenance: Facts about the training that the model carries; its `settings` may be nested.

    Returns:
        Architecture, seed, source, numbers of images, the split it was validated on, and each
        of its settings, an inner one by a name such as `optimizer.momentum`; what is not known
        is left out.
    """
    known = provenance.to_json()
    told = {name: known[name] for name in _TRAINING if name in known}
    # Where a setting has the name of a fact, as the architecture has, it is said once.
    return told | {
        name: value
        for name, value in _flat(provenance.settings).items()
        if name not in told
    }


def chosen_records(records: Sequence[Record], runs: Sequence[str], latest: int) -> list[Record]:
    """Records to compare, the earlier evaluation first unless they are named.

    Args:
        records: All records that there are.
        runs: Names of runs, or how they begin or end; in this order.
        latest: How many of the latest are taken where no run is named.

    Raises:
        LocalizationError: There are fewer than two records, or a name fits none, several,
            or one that is already taken.
    """
    by_time = sorted(records, key=lambda record: str(record["evaluated_at"]))
    known = ", ".join(record["run"] for record in by_time) or "none"
    if not runs:
        if len(by_time) < 2:
            raise LocalizationError(
                f"A comparison takes two evaluated runs, and on disk is: {known}; train and "
                "evaluate again with other parameters first"
            )
        return by_time[-latest:]
    chosen: list[Record] = []
    for name in runs:
        fitting = [
            record
            for record in by_time
            if record not in chosen
            and (record["run"].startswith(name) or record["run"].endswith(name))
        ]
        if len(fitting) != 1:
            raise LocalizationError(
                f"compare.runs: {name!r} fits {len(fitting)} runs besides those before it, and has "
                f"to fit one; on disk are: {known}"
            )
        chosen.append(fitting[0])
    return chosen


def comparison(records: Sequence[Record]) -> pd.DataFrame:
    """Runs side by side.

    Args:
        records: At least two records.

    Returns:
        One row a quantity, all columns text: `section` (`scores`, `dataset` or `training`),
        `quantity`, and one column for each run. Scores and dataset are complete; of the
        training there is what differs. Empty text stands where a run has no such quantity.
    """
    rows = [("run", "evaluated_at", [str(record["evaluated_at"]) for record in records])]
    for section in _SECTIONS:
        columns = [_flat(record[section]) for record in records]
        # As a mapping, to keep the order of the first record that has the quantity.
        for quantity in {name: None for column in columns for name in column}:
            values = [_text(quantity, column.get(quantity)) for column in columns]
            if section != "training" or len(set(values)) > 1:
                rows.append((section, quantity, values))
    names = [str(record["run"]) for record in records]
    table = pd.DataFrame([values for _, _, values in rows], columns=names, dtype=str)
    table.insert(0, "section", [section for section, _, _ in rows])
    table.insert(1, "quantity", [quantity for _, quantity, _ in rows])
    return table


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _text(quantity: str, value: Any) -> str:
    if value is None:
        return ""
    if quantity.endswith("fingerprint"):
        return str(value)[:12]
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
