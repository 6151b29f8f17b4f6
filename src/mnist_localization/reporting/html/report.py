"""The page as a whole: what is shown, put into the template, and locked down."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from mnist_localization.config import DatasetSettings
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation import SHOWN_CLASSES, Metrics
from mnist_localization.reporting.gallery import GalleryItem
from mnist_localization.reporting.html import charts, dataset_facts, formatting, scores
from mnist_localization.reporting.html.base import asset, content_policy, template
from mnist_localization.reporting.html.box_layers import box_sets, set_styles
from mnist_localization.reporting.html.cards import REASONS, tile

_BREAKDOWNS = ("error_types", "pixel_errors", "by_position", "calibration")
_FOR_THE_TEMPLATE_ALONE = ("src", "overlay")


def render_page(
    dataset: DatasetSettings,
    gallery: Sequence[GalleryItem],
    predictions: pd.DataFrame,
    *,
    metrics: Metrics,
    history: pd.DataFrame,
    card: DatasetCard,
) -> str:
    """The report as one HTML page that asks no network and needs no other file.

    The same inputs give the same bytes.

    Args:
        dataset: The section `dataset`.
        gallery: The images that are shown.
        predictions: One row an image, with the column `iou`.
        metrics: What the stage `evaluate` says.
        history: One row an epoch, columns `epoch` and Keras' log names.
        card: The dataset card.

    Returns:
        The HTML document.
    """
    names = dataset.class_names
    # The script starts with the worst first: so does the page.
    shown = sorted(gallery, key=lambda item: (item.iou, item.row))
    sets = box_sets([item.record for item in gallery])
    tiles = [tile(item, names, sets) for item in shown]
    style, script = asset("report.css") + set_styles(sets), asset("report.js")
    return template("report.html.jinja").render(
        policy=content_policy(style, script),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        data=embedded_json(
            {
                "items": [_for_the_script(entry) for entry in tiles],
                "sets": [box_set.key for box_set in sets],
            }
        ),
        tiles=tiles,
        sets=sets,
        reasons=REASONS,
        classes=_classes_of(shown, names),
        banners=dataset_facts.banners(metrics, card),
        facts=dataset_facts.facts(dataset, metrics, card),
        card_facts=dataset_facts.card_facts(card),
        card_files=dataset_facts.card_files(card),
        training=dataset_facts.training(metrics),
        headlines=scores.headlines(metrics),
        verdict=scores.verdict(metrics),
        score_rows=scores.score_rows(metrics),
        baselines=_baselines(metrics),
        curves=charts.learning_curves(history),
        histogram=charts.iou_histogram(predictions["iou"].to_numpy(np.float64)),
        total=metrics.images,
        per_class=metrics.per_class,
        **{key: getattr(metrics, key) for key in _BREAKDOWNS},
        **_confusions(metrics, names),
    )


def embedded_json(document: Any) -> Markup:
    """A document as JSON that can stand inside a `<script>` element.

    No text in it can end the element, open a comment or break a line of script.
    """
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _for_the_script(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in _FOR_THE_TEMPLATE_ALONE}


def _classes_of(gallery: Sequence[GalleryItem], names: Sequence[str]) -> list[tuple[int, str]]:
    return [(label, names[label]) for label in sorted({item.label for item in gallery})]


def _baselines(metrics: Metrics) -> list[tuple[str, str]]:
    return [
        (formatting.words(name), scores.BASELINES.get(name, "")) for name in metrics.known_baselines
    ]


def _confusions(metrics: Metrics, names: Sequence[str]) -> dict[str, Any]:
    """A matrix where it can be read, the most frequent confusions where it cannot."""
    matrix = metrics.confusion_matrix
    if len(names) > SHOWN_CLASSES:
        return {"matrix": None, "confusions": charts.most_confused(matrix, names)}
    return {"matrix": charts.confusion_chart(matrix, names), "confusions": []}
