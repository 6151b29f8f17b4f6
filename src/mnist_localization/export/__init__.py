"""Export of the localizer to other formats, with parity checks and a model card."""

from mnist_localization.export.exporting import REPORT_COLUMNS, export_localizer
from mnist_localization.export.model_card import write_model_card

__all__ = ["REPORT_COLUMNS", "export_localizer", "write_model_card"]
