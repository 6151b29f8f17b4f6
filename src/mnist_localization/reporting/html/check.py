"""HTML page of a dataset check: problems, notes and counts."""

from dataclasses import dataclass

import pandas as pd

from mnist_localization.config.data import CheckSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.reporting.html.base import asset, render
from mnist_localization.reporting.html.formatting import count, plain

# Explanations of the kinds of findings whose name does not say enough.
_MEANINGS = {
    "picture in both splits": "The model may be trained on images that it is scored on.",
    "picture that may be in both splits": "The split stage draws the test set from these images.",
    "same picture, other label": "At least one of the labels is wrong.",
    "unreadable image": "The split stage fails if the image is annotated.",
    "box outside the image": "Check dataset.annotations.csv_boxes.",
    "repeated picture": "The image has more weight in the training.",
    "image without annotation": "The image is not used.",
    "small box": "A larger dataset.image would show more of the object.",
    "class without images": "The model cannot learn the class.",
}


@dataclass(frozen=True)
class Group:
    """Findings of one kind.

    Attributes:
        title: Kind of finding.
        meaning: Explanation, or empty.
        total: Number of findings.
        rows: Split, file or name, and detail of the listed findings.
        omitted: Number of findings that are not listed.
    """

    title: str
    meaning: str
    total: int
    rows: list[tuple[str, str, str]]
    omitted: int


def render_check_page(
    settings: CheckSettings, dataset_check: pd.DataFrame, dataset_card: DatasetCard
) -> str:
    """Return the table `dataset_check` as one HTML document that needs no network."""
    images = (dataset_check["check"] == "counts") & (dataset_check["name"] == "images")
    return render(
        "check.html.jinja",
        style=asset("report.css"),
        source=dataset_card.source,
        images=int(dataset_check.loc[images, "value"].sum()),
        problems=_groups(dataset_check, "problem", settings.listed),
        notes=_groups(dataset_check, "note", settings.listed),
        facts=_facts(dataset_check),
    )


def _groups(check: pd.DataFrame, level: str, listed: int) -> list[Group]:
    return [
        Group(
            title=str(kind),
            meaning=_MEANINGS.get(str(kind), ""),
            total=len(rows),
            rows=[
                (str(row["split"]), str(row["file"] or row["name"]), str(row["detail"]))
                for row in rows.head(listed).to_dict("records")
            ],
            omitted=max(0, len(rows) - listed),
        )
        for kind, rows in check[check["level"] == level].groupby("check", sort=False)
    ]


def _facts(check: pd.DataFrame) -> dict[str, list[tuple[str, str, str, str]]]:
    """Return split, name, value and detail of each fact, by kind."""
    return {
        str(kind): [
            (str(row["split"]), str(row["name"]), _number(row["value"]), str(row["detail"]))
            for row in rows.to_dict("records")
        ]
        for kind, rows in check[check["level"] == "fact"].groupby("check", sort=False)
    }


def _number(value: float) -> str:
    if pd.isna(value):
        return plain(None)
    return count(int(value)) if float(value).is_integer() else f"{value:.4g}"
