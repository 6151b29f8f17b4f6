"""Training facts that a saved model carries. Importing this module does not import Keras."""

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any, Protocol

import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

logger = logging.getLogger(__name__)


class ImageFacts(BaseModel):
    """Appearance of the training images, used to preprocess and judge new images.

    Attributes:
        background: Gray value of the padding and behind transparent pixels, 0..255.
        padded: Whether training images were padded to fit the model input.
        brightness: Lowest and highest mean intensity of an image, 0..255, or `None` if unknown.
        border: Lowest and highest mean intensity of an image border, 0..255, or `None` if unknown.
        sample_bits: Bits of samples of more than 8 bits, or `None` for those in use.
    """

    model_config = ConfigDict(frozen=True)

    background: int = 0
    padded: bool = False
    brightness: tuple[float, float] | None = None
    border: tuple[float, float] | None = None
    sample_bits: int | None = None


class Provenance(BaseModel):
    """Origin of a trained model. Every field is optional because foreign models have none.

    Attributes:
        architecture: Name in the registry `models/architectures`.
        settings: Resolved section `train` of the parameters; the settings of the architecture
            are under `of_architecture`.
        seed: Seed of the training.
        source: Source of the dataset, for example `synthetic`.
        train_images: Number of training images.
        train_fingerprint: SHA-256 of the training split.
        validation_images: Number of validation images.
        validation_fingerprint: SHA-256 of the validation split.
        validated_on: Split that the validation images were drawn from: `train`,
            `validation` or `test`.
        initial_weights: Run, and fingerprint of the weights, that the training started from.
        class_names: Name of each class, in the order of the probabilities.
        images: Appearance of the training images.
    """

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
    initial_weights: str | None = None
    class_names: tuple[str, ...] = ()
    images: ImageFacts = ImageFacts()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Provenance":
        """Validate the facts stored in a model.

        Args:
            stored: JSON values, as returned by `to_json`.

        Returns:
            The facts; no facts, after a warning, if the stored ones are not valid.
        """
        try:
            return cls.model_validate(dict(stored))
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
            logger.warning(
                "The provenance stored in the model is not valid (%s); its origin is treated as "
                "unknown.",
                fields,
            )
            return cls()

    def to_json(self) -> dict[str, Any]:
        """Return the known facts as JSON values."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def fingerprint(self, split: str) -> str | None:
        """Return the fingerprint of a split, or `None` if the model does not know it."""
        known = {"train": self.train_fingerprint, "validation": self.validation_fingerprint}
        return known.get(split)


class Localizer(Protocol):
    """Model whose weights are fingerprinted."""

    def get_weights(self) -> list[npt.NDArray[Any]]:
        """Return all weights, in order."""


def model_fingerprint(localizer: Localizer) -> str:
    """Return the SHA-256 of a model's weights, which is the same before and after saving."""
    digest = hashlib.sha256()
    for weight in localizer.get_weights():
        digest.update(f"{weight.dtype}{weight.shape}".encode())
        digest.update(weight.tobytes())
    return digest.hexdigest()


def run_name(provenance: Provenance, fingerprint: str) -> str:
    """Return the name of the run that trained a model.

    It is made of the architecture and a hash of the facts about the training and of the weights,
    so that equal trainings have equal names, and all outputs can name the run of their model.

    Args:
        provenance: Facts about the training that the model carries.
        fingerprint: Result of `model_fingerprint`.
    """
    content = json.dumps([provenance.to_json(), fingerprint], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return f"{provenance.architecture or 'model'}-{digest[:8]}"
