"""Figures: charts as Plotly, images with their boxes as Matplotlib; importing loads both."""

from mnist_localization.reporting.charts.breakdowns import (
    class_scores,
    confusion_heatmap,
    position_heatmap,
)
from mnist_localization.reporting.charts.iou_histogram import iou_histogram
from mnist_localization.reporting.charts.reliability_diagram import reliability_diagram
from mnist_localization.reporting.contact_sheet import contact_sheet
from mnist_localization.reporting.learning_curves import learning_curves
from mnist_localization.reporting.model_graph import architecture_diagram
from mnist_localization.reporting.samples import annotation_sample

__all__ = [
    "annotation_sample",
    "architecture_diagram",
    "class_scores",
    "confusion_heatmap",
    "contact_sheet",
    "iou_histogram",
    "learning_curves",
    "position_heatmap",
    "reliability_diagram",
]
