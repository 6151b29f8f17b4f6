"""Model card: intended use, data, scores, limits and exported files of a model as Markdown."""

import re
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from mnist_localization.config.data import DatasetSettings
from mnist_localization.config.results import EvaluateSettings, ExportSettings
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images.store import SplitDataset
from mnist_localization.evaluation.baselines import BASELINES
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.evaluation.staleness import handle_stale, stale_predictions
from mnist_localization.models.provenance import model_fingerprint
from mnist_localization.models.runs import Runs
from mnist_localization.runtime import versions

# Characters that Markdown, or HTML inside it, would interpret.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~&!$@]|:(?=//)")


def write_model_card(
    settings: ExportSettings,
    dataset: DatasetSettings,
    evaluate: EvaluateSettings,
    class_names: ClassNames,
    runs: Runs,
    test_split: SplitDataset,
    predictions: pd.DataFrame,
    metrics: Metrics,
    dataset_card: DatasetCard,
    robustness: pd.DataFrame,
    export_report: pd.DataFrame,
) -> str:
    """Return the model card as Markdown; equal inputs give equal text.

    Values from data and configuration are escaped, so they cannot become links, tables or HTML.

    Args:
        settings: Section `export`.
        dataset: Section `dataset`.
        evaluate: Section `evaluate`, for the reaction to predictions of another model.
        class_names: Name of each class.
        runs: Kept runs, of which `export.model` is described.
        test_split: Test split that the predictions belong to.
        predictions: Table `predictions`.
        metrics: Scores of the predictions.
        dataset_card: Source and files of the dataset.
        robustness: Scores under perturbations; empty if they were not measured.
        export_report: Table of the exported files.

    Raises:
        StaleError: The predictions belong to another model or split, and `evaluate.on_stale` is
            `error`.
    """
    from mnist_localization.models.saving import provenance, run_of

    localizer = runs.load(settings.model)
    dataset = dataset.with_class_names(class_names.root)
    meta = test_split.store.meta
    handle_stale(stale_predictions(predictions, localizer, meta), evaluate.on_stale)
    text = _template().render(
        settings=settings.model_card,
        dataset=dataset,
        model=localizer,
        run=run_of(localizer),
        fingerprint=model_fingerprint(localizer),
        provenance=provenance(localizer),
        metrics=metrics,
        data=metrics.dataset,
        card=dataset_card,
        baselines=BASELINES,
        robustness=list(robustness.itertuples(index=False)),
        exports=list(export_report.itertuples(index=False)),
        versions=versions(),
    )
    return f"{text.strip()}\n"


def escape(value: Any) -> Markup:
    """Return a value as one line of Markdown that renders as the value itself."""
    if isinstance(value, Markup):
        return value
    line = " ".join(str(value).split())
    return Markup(_SPECIAL.sub(r"\\\g<0>", line))  # noqa: S704


def _template() -> jinja2.Template:
    environment = jinja2.Environment(  # noqa: S701 - `finalize` escapes for Markdown
        loader=jinja2.PackageLoader("mnist_localization.export", ""),
        finalize=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"ratio": _ratio, "count": "{:,}".format, "ms": "{:.2f}".format}
    return environment.get_template("model_card.md.jinja")


def _ratio(value: float | None) -> str:
    return "does not apply" if pd.isna(value) else f"{value:.4f}"
