"""Training facts that a saved model carries. Importing this module does not import Keras."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class ImageFacts(BaseModel):
    """Appearance of the training images, used to preprocess and judge new images.

    Attributes:
        background: Gray value of the padding and behind transparent pixels, 0..255.
        padded: Whether training images were padded to fit the model input.
        brightness: Lowest and highest mean intensity of an image, or `None` if unknown.
        border: Lowest and highest mean intensity of an image border, or `None` if unknown.
    """

    model_config = ConfigDict(frozen=True)

    background: int = 0
    padded: bool = False
    brightness: tuple[float, float] | None = None
    border: tuple[float, float] | None = None


class Provenance(BaseModel):
    """Where a model comes from. Every field is optional: foreign models know nothing."""

    model_config = ConfigDict(frozen=True)

    architecture: str | None = None
    settings: dict[str, Any] = {}
    seed: int | None = None
    source: str | None = None
    train_images: int | None = None
    train_fingerprint: str | None = None
    validation_images: int | None = None
    validation_fingerprint: str | None = None
    validated_on: str | None = None
    class_names: tuple[str, ...] = ()
    images: ImageFacts = ImageFacts()
