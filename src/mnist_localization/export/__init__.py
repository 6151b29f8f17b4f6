"""Export of the localizer to other formats, with parity checks and a model card."""

from mnist_localization.export.exporting import REPORT_COLUMNS, ExportRow, export_localizer
from mnist_localization.export.model_card import ModelFacts, render_model_card, write_model_card

__all__ = [
    "REPORT_COLUMNS",
    "ExportRow",
    "ModelFacts",
    "export_localizer",
    "render_model_card",
    "write_model_card",
]
