"""The scores: what each one means, and how the model stands beside the baselines."""

from dataclasses import dataclass

from mnist_localization.evaluation import Metrics
from mnist_localization.reporting.html.formatting import DASH, percent, ratio, words


@dataclass(frozen=True)
class Meaning:
    """What a learner has to know of a score.

    Attributes:
        title: Its name.
        sentence: What it says, in one sentence.
        share: Whether it is a share of the images, written in per cent.
    """

    title: str
    sentence: str
    share: bool


MEANINGS = {
    "label_accuracy": Meaning("Label accuracy", "Share of images whose class is right.", True),
    "mean_iou": Meaning(
        "Mean IoU",
        "Overlap of predicted and true box over the area they cover together, averaged: "
        "1 is a perfect fit, 0 no overlap.",
        False,
    ),
    "loc_accuracy": Meaning(
        "Localization accuracy",
        "Share of images whose class is right and whose box has an IoU of at least 0.5.",
        True,
    ),
    "exact_box": Meaning(
        "Exact boxes", "Share of images whose box is right to the pixel on all four sides.", True
    ),
    "mean_iou_raw": Meaning(
        "Mean IoU, raw", "Mean IoU of the continuous output, before any rounding to pixels.", False
    ),
    "median_iou": Meaning("Median IoU", "Half of the images have a higher IoU than this.", False),
    "iou_at_50": Meaning("IoU ≥ 0.5", "Share of boxes that count as found.", True),
    "iou_at_75": Meaning("IoU ≥ 0.75", "Share of boxes that fit well.", True),
    "iou_at_90": Meaning("IoU ≥ 0.9", "Share of boxes that fit closely.", True),
    "iou_at_95": Meaning("IoU ≥ 0.95", "Share of boxes that fit almost exactly.", True),
    "ap": Meaning(
        "AP",
        "Average precision as COCO counts it: label, box and ranking by confidence in one "
        "figure, averaged over IoU thresholds from 0.5 to 0.95.",
        False,
    ),
    "ap_50": Meaning("AP at 0.5", "Average precision where an IoU of 0.5 is enough.", False),
    "ap_75": Meaning("AP at 0.75", "Average precision where an IoU of 0.75 is needed.", False),
}

HEADLINES = ("label_accuracy", "mean_iou", "loc_accuracy", "exact_box")

BASELINES = {
    "mean_box": "always answers with the mean box and the most frequent class of the training set",
    "center_of_mass": "puts a box of fixed size round the center of the image's light: no learning",
}


@dataclass(frozen=True)
class Headline:
    """One of the scores in large letters.

    Attributes:
        meaning: What it says.
        value: The model's score.
        text: The same, written.
        interval: Its 95 % interval, written; empty where there is none.
        marks: Name to score of each baseline that has it.
    """

    meaning: Meaning
    value: float
    text: str
    interval: str
    marks: dict[str, float]


@dataclass(frozen=True)
class Cell:
    """A score in the table; `best` where no other column has a higher one."""

    text: str
    best: bool


@dataclass(frozen=True)
class ScoreRow:
    """A row of the table: the model first, then each baseline."""

    meaning: Meaning
    cells: tuple[Cell, ...]
    interval: str


def headlines(metrics: Metrics) -> list[Headline]:
    """The few scores that say the most."""
    return [
        Headline(
            meaning=MEANINGS[key],
            value=metrics.scores[key],
            text=written(metrics.scores[key], MEANINGS[key]),
            interval=_interval(metrics.intervals.get(key), MEANINGS[key]),
            marks={
                words(name): scores[key]
                for name, scores in metrics.known_baselines.items()
                if scores.get(key) is not None
            },
        )
        for key in HEADLINES
        if key in metrics.scores
    ]


def score_rows(metrics: Metrics) -> list[ScoreRow]:
    """Every score of the model, beside that of each baseline."""
    columns = [metrics.scores, *metrics.known_baselines.values()]
    rows = []
    for key, meaning in MEANINGS.items():
        values = [column.get(key) for column in columns]
        if values[0] is None:
            continue
        best = max(value for value in values if value is not None)
        cells = tuple(Cell(written(value, meaning), value == best) for value in values)
        rows.append(ScoreRow(meaning, cells, _interval(metrics.intervals.get(key), meaning)))
    return rows


def verdict(metrics: Metrics) -> str:
    """How the mean IoU stands beside that of the baselines, in a sentence."""
    own = metrics.scores["mean_iou"]
    parts = []
    for name, scores in metrics.known_baselines.items():
        other = scores["mean_iou"]
        standing = "better than" if own > other else "level with" if own == other else "behind"
        parts.append(f"{standing} the baseline “{words(name).lower()}” ({ratio(other)})")
    return f"A mean IoU of {ratio(own)} is {' and '.join(parts)}." if parts else ""


def written(value: float | None, meaning: Meaning) -> str:
    """A score as text."""
    if value is None:
        return DASH
    return percent(value) if meaning.share else ratio(value)


def _interval(ends: tuple[float, float] | None, meaning: Meaning) -> str:
    if not ends:
        return ""
    low, high = (written(end, meaning) for end in ends)
    return f"{low} {DASH} {high}"
