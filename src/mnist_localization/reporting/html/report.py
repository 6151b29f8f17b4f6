"""HTML report of an evaluation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation.baselines import BASELINES
from mnist_localization.evaluation.metrics import Metric, all_metrics
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.reporting.charts import ChartData, load_charts
from mnist_localization.reporting.gallery import GalleryItem
from mnist_localization.reporting.html.base import asset, render
from mnist_localization.reporting.html.cards import REASONS, box_layers, layer_styles, make_tile
from mnist_localization.reporting.html.formatting import DASH, ratio, words
from mnist_localization.reporting.learning_curves import learning_curve_drawings

# Fields of the dataset card that have their own place on the page, or are of no use to a reader.
_SHOWN_ELSEWHERE = {"source", "base_url", "files", "fallback_reason", "requested_source"}


def render_page(
    data: ChartData, gallery: Sequence[GalleryItem], history: pd.DataFrame, card: DatasetCard
) -> str:
    """Return the report as one HTML document that needs no network and no other file.

    The same inputs give the same bytes.

    Args:
        data: Results of the evaluation.
        gallery: Images to show.
        history: One row per epoch, with columns `epoch` and the names of Keras' logs.
        card: The dataset card.
    """
    metrics, dataset = data.metrics, data.dataset
    # The script starts with this order.
    shown = sorted(gallery, key=lambda item: (item.iou, item.row))
    layers = box_layers([item.annotated for item in gallery])
    tiles = [make_tile(item, dataset.class_names, layers) for item in shown]
    drawings = [(chart, chart.svg(data)) for chart in load_charts().values()]
    # Charts of the full width come last, because they end the columns above them.
    drawings.sort(key=lambda pair: 'class="chart broad"' in pair[1])
    script_data = {
        "items": [tile.data for tile in tiles],
        "layers": [layer.key for layer in layers],
    }
    other_facts = card.model_dump(exclude=_SHOWN_ELSEWHERE, exclude_none=True)
    return render(
        "report.html.jinja",
        style=asset("report.css") + layer_styles(layers),
        script=asset("report.js"),
        data=embedded_json(script_data),
        tiles=tiles,
        layers=layers,
        reasons=REASONS,
        card=card,
        card_facts=pd.json_normalize(other_facts, sep=".").to_dict("records")[0],
        dataset=dataset,
        comparison=comparison(metrics),
        score_rows=score_rows(metrics),
        baselines={words(name): BASELINES.get(name, "") for name in metrics.known_baselines},
        curves=learning_curve_drawings(history),
        charts=drawings,
        metrics=metrics,
    )


@dataclass(frozen=True)
class ScoreRow:
    """A score of the model and of the baselines.

    Attributes:
        metric: Definition of the score.
        cells: Text of each score, the model first, and whether it is the best of the row.
        interval: Text of the 95 % interval of the model, or empty.
        marks: Scores of the baselines.
    """

    metric: Metric
    cells: list[tuple[str, bool]]
    interval: str
    marks: dict[str, float]


def score_rows(metrics: Metrics) -> list[ScoreRow]:
    """Return every registered score that the metrics contain."""
    rows = []
    for metric in all_metrics():
        if metric.key in metrics.scores:
            columns = [metrics.scores, *metrics.known_baselines.values()]
            values = [column.get(metric.key) for column in columns]
            best = (max if metric.higher_is_better else min)(it for it in values if it is not None)
            interval = metrics.intervals.get(metric.key, ())
            row = ScoreRow(
                metric=metric,
                cells=[(DASH if it is None else metric.text(it), it == best) for it in values],
                interval=f" {DASH} ".join(metric.text(end) for end in interval),
                marks={
                    name: scores[metric.key]
                    for name, scores in metrics.known_baselines.items()
                    if metric.key in scores
                },
            )
            rows.append(row)
    return rows


def comparison(metrics: Metrics) -> str:
    """Return a sentence that compares the mean IoU with that of the baselines."""
    own = metrics.scores["mean_iou"]
    parts = []
    for name, scores in metrics.known_baselines.items():
        other = scores["mean_iou"]
        relation = "higher than" if own > other else "equal to" if own == other else "lower than"
        parts.append(f"{relation} that of the baseline “{words(name).lower()}” ({ratio(other)})")
    return f"The mean IoU of {ratio(own)} is {' and '.join(parts)}." if parts else ""


def embedded_json(document: Any) -> Markup:
    """Return a document as JSON for a `<script>` element.

    No text in it can end the element, open a comment or break a line of the script.
    """
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - escaped above
