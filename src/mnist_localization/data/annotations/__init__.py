"""Annotations: files of several formats, read into one validated table and written back."""

from mnist_localization.data.annotations.reading import (
    AnnotationReport,
    Annotations,
    annotate_dataset,
    describe,
    raise_on_bad_rows,
    read_annotations,
)

__all__ = [
    "AnnotationReport",
    "Annotations",
    "annotate_dataset",
    "describe",
    "raise_on_bad_rows",
    "read_annotations",
]
