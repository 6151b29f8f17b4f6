"""Figures: charts as Plotly, images with their boxes as Matplotlib; importing loads both."""

from mnist_localization.figures.architecture import architecture_diagram
from mnist_localization.figures.breakdowns import class_scores, confusion_heatmap, position_heatmap
from mnist_localization.figures.calibration import reliability_diagram
from mnist_localization.figures.contact_sheet import contact_sheet
from mnist_localization.figures.histogram import iou_histogram
from mnist_localization.figures.learning_curves import learning_curves
from mnist_localization.figures.samples import annotation_sample

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
