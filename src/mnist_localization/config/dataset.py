"""What is true of the dataset."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mnist_localization.config.annotation_format import AnnotationFormat
from mnist_localization.config.base import PositiveInt, Settings


class ImageSettings(Settings):
    """Shape of the images, as the model takes them.

    Attributes:
        height: Rows, in pixels.
        width: Columns, in pixels.
        channels: 1 for gray, 3 for color.
        letterbox: Whether an image of another size is fitted in, with its aspect ratio kept
            and the rest padded; otherwise it is an error.
        convert_channels: Whether an image of other channels is converted; otherwise it is an
            error.
        background: Gray value of the padding, and behind transparent pixels.
    """

    height: PositiveInt
    width: PositiveInt
    channels: Literal[1, 3]
    letterbox: bool = False
    convert_channels: bool = False
    background: Annotated[int, Field(ge=0, le=255)] = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels


class DatasetSettings(Settings):
    """What is true of the dataset, whatever its source.

    Attributes:
        image: Shape of the images.
        class_names: Name of each class, in the order of the labels 0, 1, 2, ...
        whole_pixel_boxes: Whether the annotated boxes lie on whole pixels.
        annotations: How the annotation files are written.
    """

    image: ImageSettings
    class_names: Annotated[tuple[str, ...], Field(min_length=2, max_length=1000)]
    whole_pixel_boxes: bool
    annotations: AnnotationFormat = AnnotationFormat()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "DatasetSettings":
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError("dataset.class_names holds a name twice; each class needs its own")
        return self
