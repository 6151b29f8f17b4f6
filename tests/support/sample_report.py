"""A small report with made-up results, of the types that the stages save."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mnist_localization.config.data import DatasetSettings
from mnist_localization.config.results import EvaluateSettings, GallerySettings
from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    RAW_BOX_COLUMNS,
    clip_boxes,
    paired_iou,
)
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation.runs import training_facts
from mnist_localization.evaluation.scores import Metrics, ScoredSplit, evaluate_predictions
from mnist_localization.models.provenance import Provenance
from mnist_localization.reporting.charts import ChartData
from mnist_localization.reporting.gallery import GalleryItem, collect
from mnist_localization.reporting.html.report import render_page
from support.dataset_cards import make_card
from support.settings import section

_CONF = Path(__file__).parents[2] / "conf" / "base" / "parameters_evaluate.yml"
_FRAME = 28


@dataclass
class Report:
    """Everything a page is made of."""

    dataset: DatasetSettings
    gallery: list[GalleryItem]
    predictions: pd.DataFrame
    baseline_predictions: pd.DataFrame
    metrics: Metrics
    history: pd.DataFrame
    card: DatasetCard

    def change_metrics(self, **fields: Any) -> None:
        """Replace fields of the metrics."""
        self.metrics = self.metrics.model_copy(update=fields)

    def change_scored_split(self, **fields: Any) -> None:
        """Replace facts of the images that were scored."""
        self.change_metrics(dataset=self.metrics.dataset.model_copy(update=fields))

    @property
    def chart_data(self) -> ChartData:
        return ChartData(self.metrics, self.predictions, self.baseline_predictions, self.dataset)

    def render(self) -> str:
        return render_page(self.chart_data, self.gallery, self.history, self.card)


class _Images:
    def __init__(self, annotations, pixels):
        self.annotations = annotations
        self._pixels = pixels

    def read_annotations(self, indices):
        return self.annotations.iloc[list(indices)]

    def read(self, indices):
        return self._pixels[list(indices)]


def sample_report(
    names=tuple("0123456789"),
    images=400,
    shape=(100, 100, 1),
    gallery=(48, 24, 48),
    seed=0,
) -> Report:
    """Return a report on frames of noise, which compress worse than real images."""
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    dataset = section(
        "dataset",
        image={"height": height, "width": width, "channels": channels},
        class_names=names,
        whole_pixel_boxes=True,
    )
    tops, lefts = (rng.integers(0, side - _FRAME, images) for side in (height, width))
    pixels = np.zeros((images, *shape), np.uint8)
    for image, top, left in zip(pixels, tops, lefts, strict=True):
        frame = rng.integers(0, 256, (_FRAME, _FRAME, channels), np.uint8)
        image[top : top + _FRAME, left : left + _FRAME] = frame
    scale = np.array([width, height, width, height])
    true = np.stack([lefts, tops, lefts + _FRAME, tops + _FRAME], 1) / scale
    given = clip_boxes(true + rng.normal(0, 2.0, true.shape) / scale)

    table = pd.DataFrame({"file": [f"image{number:04}.png" for number in range(images)]})
    table["label"] = np.arange(images) % len(names)
    table[list(BOX_COLUMNS)] = true
    table["predicted_label"] = np.where(
        np.arange(images) % 11 == 0, (table["label"] + 1) % len(names), table["label"]
    )
    table["confidence"] = rng.uniform(0.4, 1.0, images)
    table[list(PREDICTED_BOX_COLUMNS)] = table[list(RAW_BOX_COLUMNS)] = given
    table["iou"] = paired_iou(true, given)

    worst, mistakes, random = gallery
    settings = GallerySettings(worst=worst, mistakes=mistakes, random=random)
    items = collect(table, _Images(table, pixels), settings, names, seed)
    constant = _mean_box(table)
    metrics = _metrics(table, constant, dataset)
    return Report(dataset, items, table, constant, metrics, _history(), make_card())


def evaluate_settings(**changes: Any) -> EvaluateSettings:
    """Return the section `evaluate` of the base configuration with changes."""
    return EvaluateSettings(**yaml.safe_load(_CONF.read_text("utf-8"))["evaluate"] | changes)


def _mean_box(table: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions of the baseline `mean_box`."""
    boxes = np.tile(table[list(BOX_COLUMNS)].mean(), (len(table), 1))
    constant = table.assign(baseline="mean_box", predicted_label=0, confidence=1.0)
    constant[list(PREDICTED_BOX_COLUMNS)] = constant[list(RAW_BOX_COLUMNS)] = boxes
    return constant.assign(iou=paired_iou(table[list(BOX_COLUMNS)], boxes))


def _metrics(table: pd.DataFrame, constant: pd.DataFrame, dataset: DatasetSettings) -> Metrics:
    baselines = {"mean_box": constant, "center_of_mass": constant[:0]}
    scored = ScoredSplit(
        source="upstream",
        split="test",
        images=len(table),
        fingerprint="0123456789abcdef" * 4,
        validated_on="train",
    )
    training = training_facts(
        Provenance(
            architecture="glimpse",
            seed=1,
            source="upstream",
            train_images=54000,
            validated_on="train",
            settings={
                "learning_rate": 0.001,
                "early_stopping": {"monitor": "val_loss", "enabled": False},
                "glimpse": {"label_filters": [32, 64]},
            },
        )
    )
    tables, settings = baselines.items(), evaluate_settings()
    return evaluate_predictions(
        table, tables, settings, dataset, 0, scored=scored, training=training
    )


def _history() -> pd.DataFrame:
    epoch = np.arange(1, 6)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "loss": 2.0 / epoch,
            "bbox_loss": 0.5 * 10.0**-epoch,
            "bbox_mean_iou": 1 - 0.6 / epoch,
            "val_loss": 2.2 / epoch,
            "val_bbox_loss": 0.6 * 10.0**-epoch,
            "val_bbox_mean_iou": 1 - 0.7 / epoch,
            "seconds": 30.0,
        }
    )
