"""How the annotation files of a dataset are written."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mnist_localization.config.base import Settings

# Names as in keras.utils.bounding_boxes.convert_format.
BoxFormat = Literal[
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
]

_OWN_BOX_FORMATS: dict[str, BoxFormat] = {
    "coco": "xywh",
    "yolo": "rel_center_xywh",
    "voc": "xyxy",
}


class CsvSettings(Settings):
    """How a CSV of annotations is written.

    Attributes:
        columns: Names in the header of: file, label, and the four numbers of the box. Empty:
            `file, label, xmin, ymin, xmax, ymax`, with or without a header.
        delimiter: Between the columns.
    """

    columns: tuple[str, ...] = ()
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","

    @model_validator(mode="after")
    def _all_columns_are_named(self) -> "CsvSettings":
        if self.columns and len(set(self.columns)) != 6:
            raise ValueError(
                "dataset.annotations.csv.columns must name six columns: file, label, and the four "
                "numbers of the box"
            )
        return self


class AnnotationFormat(Settings):
    """How the annotation files are written.

    Attributes:
        format: `csv`, `coco` (one JSON file), or a folder of `yolo` or `voc` files.
        csv_boxes: Format of the boxes of a CSV; the other formats have one of their own.
        csv: How a CSV is written.
    """

    format: Literal["csv", "coco", "yolo", "voc"] = "csv"
    csv_boxes: BoxFormat = "rel_xyxy"
    csv: CsvSettings = CsvSettings()

    @property
    def box_format(self) -> str:
        """Format of the boxes, as Keras names it."""
        return _OWN_BOX_FORMATS.get(self.format, self.csv_boxes)
