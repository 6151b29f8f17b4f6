"""The page of a dataset check: what is wrong, what is worth a look, and what is there."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.reporting.html.base import asset, content_policy, template
from mnist_localization.reporting.html.formatting import count, plain

# The page says more of a kind of finding where it is known.
_MEANINGS = {
    "picture in both splits": "A model may have trained on what it is scored on.",
    "picture that may be in both splits": "Split draws a test set, perhaps with it.",
    "same picture, other label": "One of the labels must be wrong.",
    "unreadable image": "The split stage stops at it where it is annotated.",
    "box outside the image": "Is dataset.annotations.csv_boxes right?",
    "repeated picture": "It counts twice in the training.",
    "image without annotation": "It is not used.",
    "small box": "A larger dataset.image would show more of the object.",
    "class without images": "Nothing can be learned of it.",
}


@dataclass(frozen=True)
class Group:
    """The findings of one kind.

    Attributes:
        title: The kind.
        meaning: What it means; empty where that is plain.
        total: How many there are, in words.
        rows: Split, file or name, and detail of those that are listed.
        left_out: How many are not listed.
    """

    title: str
    meaning: str
    total: str
    rows: list[tuple[str, str, str]]
    left_out: int


def render_check_page(check: pd.DataFrame, card: DatasetCard, listed: int) -> str:
    """The table `dataset_check` as one HTML page that asks no network.

    Args:
        check: The table.
        card: The dataset card.
        listed: Findings of one kind that are listed at most.
    """
    style = asset("report.css")
    return template("check.html.jinja").render(
        policy=content_policy(style, ""),
        style=Markup(style),  # noqa: S704 - our own file
        source=card.source,
        images=count(int(check.loc[_is_count_of_images(check), "value"].sum())),
        problems=_groups(check, "problem", listed),
        notes=_groups(check, "note", listed),
        facts=_facts(check),
    )


def _is_count_of_images(check: pd.DataFrame) -> Any:
    return (check["check"] == "counts") & (check["name"] == "images")


def _groups(check: pd.DataFrame, level: str, listed: int) -> list[Group]:
    found = check[check["level"] == level]
    return [
        Group(
            title=str(kind),
            meaning=_MEANINGS.get(str(kind), ""),
            total=count(len(rows)),
            rows=[
                (str(row["split"]), str(row["file"] or row["name"]), str(row["detail"]))
                for row in rows.head(listed).to_dict("records")
            ],
            left_out=max(0, len(rows) - listed),
        )
        for kind, rows in found.groupby("check", sort=False)
    ]


def _facts(check: pd.DataFrame) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    """Kind of fact, and of each: split, name, value, detail."""
    facts = check[check["level"] == "fact"]
    return [
        (
            str(kind),
            [
                (str(row["split"]), str(row["name"]), _number(row["value"]), str(row["detail"]))
                for row in rows.to_dict("records")
            ],
        )
        for kind, rows in facts.groupby("check", sort=False)
    ]


def _number(value: float) -> str:
    if pd.isna(value):
        return plain(None)
    return count(int(value)) if float(value).is_integer() else f"{value:.4g}"
