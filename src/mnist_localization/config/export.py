"""The section `export`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mnist_localization.config.base import PositiveInt, Settings

FormatName = Literal["saved_model", "litert", "litert_int8", "onnx"]
NotNegative = Annotated[float, Field(ge=0.0)]


class ToleranceSettings(Settings):
    """How far an exported file may be from the Keras model.

    Attributes:
        probability: Largest difference of any probability of any image.
        box_pixels: Largest difference of any edge of any box, in pixels of the model's input.
        label_accuracy: Loss of label accuracy.
        mean_iou: Loss of mean IoU.
    """

    probability: NotNegative
    box_pixels: NotNegative
    label_accuracy: NotNegative
    mean_iou: NotNegative


class ModelCardSettings(Settings):
    """What the model card says of the dataset at hand, and no file knows.

    Attributes:
        title: Its heading.
        intended_use: What the model is for.
        limits: What it does not do, and what an image must look like.
        data_license: License and credit of the data, one sentence each.
    """

    title: Annotated[str, Field(min_length=1)]
    intended_use: str
    limits: tuple[str, ...]
    data_license: tuple[str, ...]


class ExportSettings(Settings):
    """The section `export`.

    Attributes:
        formats: What is written.
        checked_images: Test images that each file is checked on; 0 takes all.
        batch_size: Images predicted at once in the check.
        representative_images: Training images that set the ranges of int8 numbers.
        latency_runs: Single images timed for the latency.
        tolerances: Format to how far it may be from the Keras model.
        model_card: What the model card says of the dataset.
    """

    formats: Annotated[tuple[FormatName, ...], Field(min_length=1)]
    checked_images: Annotated[int, Field(ge=0)]
    batch_size: PositiveInt
    representative_images: PositiveInt
    latency_runs: PositiveInt
    tolerances: dict[FormatName, ToleranceSettings]
    model_card: ModelCardSettings

    @model_validator(mode="after")
    def _each_format_has_a_tolerance(self) -> "ExportSettings":
        if len(set(self.formats)) != len(self.formats):
            raise ValueError("export.formats holds a format twice")
        without = [name for name in self.formats if name not in self.tolerances]
        if without:
            raise ValueError(f"export.tolerances has no entry for {', '.join(without)}")
        return self
