"""HTML page of a dataset check: problems, notes and counts."""

import pandas as pd

from mnist_localization.config.data import CheckSettings
from mnist_localization.data.checks import LEVELS
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.reporting.html.base import asset, render

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


def render_check_page(
    settings: CheckSettings, dataset_check: pd.DataFrame, dataset_card: DatasetCard
) -> str:
    """Return the table `dataset_check` as one HTML document that needs no network."""
    images = (dataset_check["check"] == "counts") & (dataset_check["name"] == "images")
    problems, notes, facts = (
        list(dataset_check[dataset_check["level"] == level].groupby("check", sort=False))
        for level in LEVELS
    )
    return render(
        "check.html.jinja",
        style=asset("report.css"),
        source=dataset_card.source,
        images=int(dataset_check.loc[images, "value"].sum()),
        problems=problems,
        notes=notes,
        facts=facts,
        meanings=_MEANINGS,
        listed=settings.listed,
    )
