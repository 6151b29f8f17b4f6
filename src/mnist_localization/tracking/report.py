"""The W&B Report, built in code; runs in the process of the client."""

from collections.abc import Mapping
from typing import Any


def save_report(spec: Mapping[str, Any]) -> dict[str, str]:
    """Save the report, anew or over the one with its id.

    Args:
        spec: `entity`, `project`, `group`, `id` (empty for a new one), `title`,
            `description`, `task` and `result` (Markdown), `scores` (keys of the summary),
            `curves` (title to keys of the history), `media` (keys of overlays), `table` and
            `confusion` (keys of the tables of predictions and of the confusion matrix).

    Returns:
        Its `id` and `url`.
    """
    import wandb_workspaces.reports.v2 as wr

    report = wr.Report(
        entity=spec["entity"],
        project=spec["project"],
        title=spec["title"],
        description=spec["description"],
        width="fluid",
        blocks=[
            wr.H1("The task"),
            wr.MarkdownBlock(spec["task"]),
            wr.H1("The result"),
            wr.MarkdownBlock(spec["result"]),
            _grid(spec, _score_panels(spec["scores"])),
            wr.H1("The predictions"),
            wr.MarkdownBlock(
                "Predicted and true boxes can each be shown or hidden; classes and the scores "
                "`confidence` and `iou` filter them."
            ),
            _grid(spec, _media_panels(spec["media"])),
            _grid(spec, _table_panels(spec["table"], spec["confusion"])),
            wr.H1("The training"),
            _grid(spec, _curve_panels(spec["curves"])),
        ],
    )
    report.id = spec["id"]
    report.save()
    return {"id": report.id, "url": report.url}


def _grid(spec: Mapping[str, Any], panels: list[Any]) -> Any:
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces import expr

    runs = wr.Runset(
        entity=spec["entity"],
        project=spec["project"],
        name=f"Runs of {spec['group']}",
        filters=[expr.Metric("Group") == spec["group"]],
    )
    return wr.PanelGrid(runsets=[runs], panels=panels)


def _score_panels(scores: list[str]) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.ScalarChart(
            title=score.removeprefix("test/").replace("_", " "),
            metric=wr.SummaryMetric(score),
            groupby_aggfunc="max",
            layout=wr.Layout(x=6 * (at % 4), y=4 * (at // 4), w=6, h=4),
        )
        for at, score in enumerate(scores)
    ]


def _media_panels(media: list[str]) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.MediaBrowser(
            title=key,
            media_keys=[key],
            num_columns=6,
            layout=wr.Layout(x=0, y=12 * at, w=24, h=12),
        )
        for at, key in enumerate(media)
    ]


def _table_panels(table: str, confusion: str) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.WeavePanelSummaryTable(table_name=table, layout=wr.Layout(x=0, y=0, w=24, h=12)),
        wr.CustomChart(
            chart_name="wandb/confusion_matrix/v1",
            query={"summaryTable": {"tableKey": confusion}},
            chart_fields={name: name for name in ("Actual", "Predicted", "nPredictions")},
            layout=wr.Layout(x=0, y=12, w=24, h=10),
        ),
    ]


def _curve_panels(curves: Mapping[str, list[str]]) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.LinePlot(
            title=title,
            x="epoch/epoch",
            y=keys,
            title_x="epoch",
            layout=wr.Layout(x=8 * (at % 3), y=6 * (at // 3), w=8, h=6),
        )
        for at, (title, keys) in enumerate(curves.items())
    ]
