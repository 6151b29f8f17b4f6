"""The saved model in other formats, each checked against it, and the model card."""

from mnist_localization.export.exporting import REPORT_COLUMNS, export_localizer
from mnist_localization.export.model_card import ModelFacts, model_card

__all__ = ["REPORT_COLUMNS", "ModelFacts", "export_localizer", "model_card"]
