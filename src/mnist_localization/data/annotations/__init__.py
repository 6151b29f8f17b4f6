"""Annotations: files that are not trusted become a checked table, and tables become files."""

from mnist_localization.data.annotations.reading import read_annotations
from mnist_localization.data.annotations.table import (
    COLUMNS,
    Annotations,
    BadRow,
    RawRow,
    describe,
    require_good,
)
from mnist_localization.data.annotations.writing import as_coco, as_voc, as_yolo

__all__ = [
    "COLUMNS",
    "Annotations",
    "BadRow",
    "RawRow",
    "as_coco",
    "as_voc",
    "as_yolo",
    "describe",
    "read_annotations",
    "require_good",
]
