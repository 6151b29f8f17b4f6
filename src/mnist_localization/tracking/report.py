"""W&B Report of a training. Importing this module imports wandb-workspaces."""

from collections.abc import Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr
from wandb_workspaces import expr

from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.tracking.publication import CONFUSION, TABLE, Publication

# Width of a W&B panel grid, and the longest title, as W&B defines them.
_WIDTH = 24
_TITLE_LENGTH = 128
_LISTED_CLASSES = 20


def save_report(
    publication: Publication, entity: str, project: str, group: str, url: str = ""
) -> str:
    """Create the report of a group of runs, or update the one at `url`; return its page."""

    def grid(panels: list[Any]) -> Any:
        runs = wr.Runset(
            entity=entity,
            project=project,
            name=f"Runs of {group}",
            filters=expr.And(expr.Metric("Group") == group),
        )
        return wr.PanelGrid(runsets=[runs], panels=panels)

    report = wr.Report(
        entity=entity,
        project=project,
        title=f"Bounding boxes {group}"[:_TITLE_LENGTH],
        description="Single-object localization: one label and one box for each image.",
        width="fluid",
        blocks=[
            wr.H1("Task"),
            wr.MarkdownBlock(task_text(publication.class_names, publication.dataset_card)),
            wr.H1("Results"),
            wr.MarkdownBlock(result_text(publication.metrics)),
            grid(_score_panels(publication.metrics)),
            wr.H1("Predictions"),
            wr.MarkdownBlock(
                "Show or hide predicted and true boxes; filter them by class and by the scores "
                "`confidence` and `iou`."
            ),
            grid(_media_panels([*publication.galleries(), "epoch/sample"])),
            grid(_table_panels()),
            wr.H1("Training"),
            grid(_curve_panels([str(name) for name in publication.history.columns])),
        ],
    )
    report.id = _existing_id(url) if url else ""
    report.save()
    return str(report.url)


def task_text(names: Sequence[str], card: DatasetCard) -> str:
    """Return the task and its data as Markdown."""
    listed = ", ".join(_code(name) for name in names[:_LISTED_CLASSES])
    more = ", ..." if len(names) > _LISTED_CLASSES else ""
    text = (
        "Each image shows one object. The model predicts its class and a box around it; the box "
        "is scored by its intersection over union (IoU) with the annotated one.\n\n"
        f"{len(names)} classes: {listed}{more}.\n\n"
        f"Dataset: source {_code(card.source)}, {card.counts_text()}."
    )
    if card.source == "synthetic":
        text += (
            "\n\n**This dataset is the synthetic stand-in. Its scores are not those of the "
            "published dataset.**"
        )
    return text


def result_text(metrics: Metrics) -> str:
    """Return the scores of the model and of the baselines as a Markdown table."""
    columns = {"model": metrics.scores, **metrics.known_baselines}
    lines = [
        "| score | " + " | ".join(_code(column) for column in columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for metric in metrics.known_metrics:
        values = (scores.get(metric.key) for scores in columns.values())
        cells = ["" if value is None else metric.text(value) for value in values]
        lines.append(f"| {metric.title} | " + " | ".join(cells) + " |")
    split = metrics.dataset
    images = f"\n\nScored on {metrics.images} images of the split {_code(split.split)}, "
    return "\n".join(lines) + images + f"fingerprint {_code(split.fingerprint[:16])}."


def _score_panels(metrics: Metrics) -> list[Any]:
    return [
        wr.ScalarChart(
            title=metric.title,
            metric=wr.SummaryMetric(f"test/{metric.key}"),
            groupby_aggfunc="max",
            layout=_layout(position, columns=4, height=4),
        )
        for position, metric in enumerate(metrics.known_metrics)
    ]


def _media_panels(keys: Sequence[str]) -> list[Any]:
    return [
        wr.MediaBrowser(title=key, media_keys=[key], num_columns=6, layout=_layout(position))
        for position, key in enumerate(keys)
    ]


def _table_panels() -> list[Any]:
    return [
        wr.WeavePanelSummaryTable(table_name=TABLE, layout=_layout(0)),
        wr.CustomChart(
            chart_name="wandb/confusion_matrix/v1",
            query={"summaryTable": {"tableKey": f"{CONFUSION}_table"}},
            chart_fields={name: name for name in ("Actual", "Predicted", "nPredictions")},
            layout=_layout(1),
        ),
    ]


def _curve_panels(columns: Sequence[str]) -> list[Any]:
    return [
        wr.LinePlot(
            title=name.replace("_", " "),
            x="epoch/epoch",
            y=[f"epoch/{name}", f"epoch/val_{name}"],
            title_x="epoch",
            layout=_layout(position, columns=3, height=6),
        )
        for position, name in enumerate(name for name in columns if f"val_{name}" in columns)
    ]


def _layout(position: int, columns: int = 1, height: int = 12) -> Any:
    """Return the place of a panel in a grid that is filled row by row."""
    row, column = divmod(position, columns)
    width = _WIDTH // columns
    return wr.Layout(x=width * column, y=height * row, w=width, h=height)


def _existing_id(url: str) -> str:
    """Return the id of the report at a URL; empty if it was deleted."""
    try:
        return str(wr.Report.from_url(url, as_model=True).id)
    except TypeError:
        return ""  # wandb-workspaces subscripts the empty answer of the server


def _code(text: Any) -> str:
    """Return the text as Markdown code, so that names from a dataset are not markup."""
    plain = " ".join(str(text).replace("`", "'").replace("|", "/").split())
    return f"`{plain}`"
