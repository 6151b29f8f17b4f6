"""The model card: what the model is, what it was made from, how good it is, what it cannot do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from mnist_localization.config import DatasetSettings, ModelCardSettings
from mnist_localization.evaluation import Metrics
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.models.provenance import Provenance

# What Markdown or the HTML inside it would read as more than text.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~&!$@]|:(?=//)")
_TITLES = {
    "label_accuracy": "Label accuracy",
    "mean_iou": "Mean IoU",
    "mean_iou_raw": "Mean IoU before any snapping",
    "iou_at_50": "IoU at least 0.5",
    "iou_at_75": "IoU at least 0.75",
    "iou_at_90": "IoU at least 0.9",
    "iou_at_95": "IoU at least 0.95",
    "loc_accuracy": "Label right and IoU at least 0.5",
    "exact_box": "Box right to the pixel",
}


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model without its data.

    Attributes:
        name: Of its architecture.
        parameters: Number of weights.
        fingerprint: SHA-256 of the weights.
        provenance: Facts about the training that it carries.
    """

    name: str
    parameters: int
    fingerprint: str
    provenance: Provenance


def model_card(
    settings: ModelCardSettings,
    dataset: DatasetSettings,
    model: ModelFacts,
    *,
    metrics: Metrics,
    dataset_card: DatasetCard,
    robustness: pd.DataFrame,
    export_report: pd.DataFrame,
    versions: Mapping[str, str],
) -> str:
    """The card as Markdown; the same inputs give the same text.

    Whatever comes from data or configuration is escaped: it can be no link, no table and no
    HTML.

    Args:
        settings: The section `export.model_card`.
        dataset: The section `dataset`.
        model: What is known of the model.
        metrics: What the stage `evaluate` says of it.
        dataset_card: Source and files of the dataset.
        robustness: Scores under perturbations; no rows where they were not measured.
        export_report: One row a format.
        versions: Versions of Python and packages.
    """
    text = _template().render(
        settings=settings,
        dataset=dataset,
        model=model,
        metrics=metrics,
        data=metrics.dataset,
        card=dataset_card,
        titles=_TITLES,
        robustness=_rows(robustness),
        exports=_rows(export_report),
        versions=versions,
    )
    return f"{text.strip()}\n"


def escaped(value: Any) -> Markup:
    """A value as Markdown text that is read as itself, in one line."""
    if isinstance(value, Markup):
        return value
    line = " ".join(str(value).split())
    return Markup(_SPECIAL.sub(r"\\\g<0>", line))  # noqa: S704


def _template() -> jinja2.Template:
    environment = jinja2.Environment(  # noqa: S701 - `finalize` escapes for Markdown
        loader=jinja2.PackageLoader("mnist_localization.export", ""),
        finalize=escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"ratio": "{:.4f}".format, "count": "{:,}".format, "ms": "{:.2f}".format}
    return environment.get_template("model_card.md.jinja")


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as mappings, with None where there is no value."""
    values = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in values]
