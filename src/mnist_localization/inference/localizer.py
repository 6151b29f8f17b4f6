"""Prediction with a saved model for applications: images in, labels and boxes in pixels out."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from mnist_localization.config.data import ImageSettings
from mnist_localization.data.boxes import clip_boxes, pixel_corners
from mnist_localization.data.images.decode import ImageHeader, read_header_and_pixels
from mnist_localization.data.images.letterbox import (
    compute_placements,
    fit_into_input,
    to_original_frame,
)
from mnist_localization.errors import ImageError, ModelError
from mnist_localization.evaluation.predictions import finite_outputs
from mnist_localization.models.provenance import ImageFacts, Provenance

Pixels = npt.NDArray[np.uint8]
AnyImage = npt.NDArray[np.uint8] | Image.Image | str | os.PathLike[str]
Invert = bool | Literal["auto"]

_ARRAY_CHANNELS = (1, 3, 4)
# Largest difference of brightness from the training images, in gray values of 255.
_MAX_DISTANCE = 40.0
# Range of the training images that counts as usual; single images are outliers.
_QUANTILES = (0.01, 0.99)


class Box(NamedTuple):
    """Corners in pixels of the original image; pixel `i` covers `i` to `i + 1`."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


@dataclass(frozen=True)
class Detection:
    """Object found on one image.

    Attributes:
        label: Name of the class.
        class_id: Index of the class, from 0.
        confidence: Probability of the class, in [0, 1].
        box: Box in pixels of the image, after its EXIF orientation is applied.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        inverted: Whether the image was inverted before prediction.
        unlike_training: Whether the image, inverted or not, is much lighter or darker than the
            training images, or has a lighter or darker border. `False` if the model does not
            know its training images.
    """

    label: str
    class_id: int
    confidence: float
    box: Box
    width: int
    height: int
    inverted: bool
    unlike_training: bool


@dataclass(frozen=True)
class ModelInput:
    """Image prepared for the model.

    Attributes:
        pixels: Letterboxed pixels, uint8 `[height, width, channels]` of the model input.
        width: Width of the original image in pixels.
        height: Height of the original image in pixels.
        inverted: As in `Detection`.
        unlike_training: As in `Detection`.
    """

    pixels: Pixels
    width: int
    height: int
    inverted: bool
    unlike_training: bool


class KerasLocalizer(Protocol):
    """Part of a Keras model that a `Localizer` uses."""

    input_shape: tuple[int | None, ...]

    def predict_on_batch(self, images: Pixels, /) -> Mapping[str, npt.ArrayLike]:
        """Return `label` `[n, classes]` and `bbox` `[n, 4]` of images 0..255."""


class Localizer:
    """Trained localizer for images of any size and kind.

    TensorFlow is imported when the first model is loaded. A localizer is not thread-safe.

    Example:
        ```python
        from mnist_localization import Localizer

        localizer = Localizer.load("latest")
        for detection in localizer.predict(["photo.jpg", "scan.png"], invert="auto"):
            print(detection.label, detection.confidence, detection.box)
        ```

    Attributes:
        class_names: Name of each class; empty if the model does not know them. The label of a
            class without a name is its index as text.
        input_shape: Height, width and channels of the model input.
        image_settings: How images are decoded, as the section `dataset.image`.
    """

    def __init__(
        self, model: KerasLocalizer, provenance: Provenance, max_image_mb: float = 256.0
    ) -> None:
        """Wrap a Keras model; see `load` and `from_model` for the usual ways.

        Args:
            model: Keras model with the outputs `label` and `bbox`.
            provenance: Training facts that the model carries.
            max_image_mb: Maximum size of a decoded image in MiB.

        Raises:
            ModelError: The input of the model has no fixed size, or not 1 or 3 channels.
        """
        _, height, width, channels = model.input_shape
        if height is None or width is None or channels not in (1, 3):
            raise ModelError(
                f"the model takes images of shape {model.input_shape[1:]}; a localizer needs a "
                "fixed height and width, and 1 or 3 channels"
            )
        self.input_shape = (height, width, channels)
        self.class_names = provenance.class_names
        self._model = model
        self._training_images = provenance.images
        self.image_settings = ImageSettings(
            height=height,
            width=width,
            channels=channels,
            letterbox=True,
            convert_channels=True,
            background=provenance.images.background,
            sample_bits=provenance.images.sample_bits,
        )
        self._max_image_mb = max_image_mb

    @classmethod
    def from_model(cls, model: Any, *, max_image_mb: float = 256.0) -> "Localizer":
        """Return a localizer for a loaded Keras model.

        Args:
            model: Keras model; the training facts that it carries are used if present.
            max_image_mb: Maximum size of a decoded image in MiB.
        """
        from mnist_localization.models.saving import provenance

        return cls(model, provenance(model), max_image_mb)

    @classmethod
    def load(
        cls,
        model: str | os.PathLike[str],
        *,
        data: str | os.PathLike[str] = "data",
        max_image_mb: float = 256.0,
    ) -> "Localizer":
        """Load a localizer in Keras' safe mode.

        Args:
            model: Path or URL of a `.keras` file, or the name of a kept run, `latest` or `best`.
            data: Folder or URL of the data of the runs.
            max_image_mb: Maximum size of a decoded image in MiB. It does not apply to arrays.

        Raises:
            ModelError: The file or run is missing or damaged, is not a localizer, or would run
                code when loaded.
        """
        from mnist_localization.models.runs import runs_below
        from mnist_localization.models.saving import load_localizer

        if Path(model).is_file():
            return cls.from_model(load_localizer(Path(model)), max_image_mb=max_image_mb)
        return cls.from_model(runs_below(data).load(os.fspath(model)), max_image_mb=max_image_mb)

    def predict(
        self, images: AnyImage | Iterable[AnyImage], *, invert: Invert = False, batch_size: int = 32
    ) -> list[Detection]:
        """Predict the label and the box of the object on each image.

        Args:
            images: One image or several: paths, Pillow images, or arrays, uint8 0..255,
                `[height, width]` or `[height, width, channels]` with 1, 3 or 4 channels. Sizes
                may differ; each image is letterboxed to the model input.
            invert: Whether to invert images before prediction; `auto` inverts the images that
                look more like the training images when inverted.
            batch_size: Images read and predicted at once.

        Returns:
            One detection per image, in the order of the images.

        Raises:
            ImageError: An image is missing, unreadable or too large, or an array has an
                unsupported shape or type.
            ModelError: The model returns values that are not finite.
            ValueError: `batch_size` or `invert` is not valid.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        if invert not in (True, False, "auto"):
            raise ValueError(f"invert is {invert!r}; it must be True, False or 'auto'")
        detections: list[Detection] = []
        remaining = _each(images)
        while batch := list(islice(remaining, batch_size)):
            detections += self.predict_inputs([self.model_input(image, invert) for image in batch])
        return detections

    def model_input(self, image: AnyImage, invert: Invert = False) -> ModelInput:
        """Prepare an image for the model; see `predict` for arguments and errors."""
        header, pixels = self._read(image)
        inverted = invert is True or (invert == "auto" and self._looks_inverted(pixels))
        if inverted:
            pixels = 255 - pixels
        unlike = self._distance(pixels) > _MAX_DISTANCE
        size = header.height, header.width
        fitted = self._letterboxed(pixels, size)
        return ModelInput(fitted, header.width, header.height, inverted, unlike)

    def predict_inputs(self, inputs: Sequence[ModelInput]) -> list[Detection]:
        """Predict prepared images in one batch.

        Args:
            inputs: Images from `model_input`.

        Raises:
            ModelError: The model returns values that are not finite.
        """
        if not inputs:
            return []
        pixels = np.stack([each.pixels for each in inputs])
        probabilities, boxes = finite_outputs(self._model.predict_on_batch, pixels, "localizer")
        heights, widths = [each.height for each in inputs], [each.width for each in inputs]
        placed = compute_placements(heights, widths, *self.input_shape[:2])
        corners = pixel_corners(clip_boxes(to_original_frame(boxes, placed)), heights, widths)
        return [
            self._detection(each, row, Box(*box.tolist()))
            for each, row, box in zip(inputs, probabilities, corners, strict=True)
        ]

    def _detection(self, image: ModelInput, probabilities: npt.NDArray[Any], box: Box) -> Detection:
        class_id = int(probabilities.argmax())
        has_name = class_id < len(self.class_names)
        return Detection(
            label=self.class_names[class_id] if has_name else str(class_id),
            class_id=class_id,
            confidence=min(1.0, float(probabilities[class_id])),
            box=box,
            width=image.width,
            height=image.height,
            inverted=image.inverted,
            unlike_training=image.unlike_training,
        )

    def _read(self, image: AnyImage) -> tuple[ImageHeader, Pixels]:
        limit = self._max_image_mb
        if isinstance(image, str | os.PathLike):
            image = Path(image)
            if not image.is_file():
                raise ImageError(f"{image}: the file does not exist")
        elif isinstance(image, np.ndarray):
            # The pixels of an array are in memory already, so its size is not limited.
            image, limit = _as_pillow(image), math.inf
        elif not isinstance(image, Image.Image):
            raise ImageError(
                f"an image is of type {type(image).__name__}; give a path, a Pillow image or an "
                "array"
            )
        if isinstance(image, Image.Image) and 0 in image.size:
            raise ImageError(f"the image has a size of {image.width}x{image.height} pixels")
        return read_header_and_pixels(image, self.image_settings, limit)

    def _letterboxed(self, pixels: Pixels, size: tuple[int, int] | None = None) -> Pixels:
        background = self._training_images.background
        return fit_into_input(pixels, *self.input_shape[:2], background, size)

    def _distance(self, pixels: Pixels) -> float:
        # Padding darkens an image, so it is added only if the training images had it as well.
        compared = self._letterboxed(pixels) if self._training_images.padded else pixels
        return appearance_distance(compared, self._training_images)

    def _looks_inverted(self, pixels: Pixels) -> bool:
        distance = self._distance(pixels)
        return distance > _MAX_DISTANCE and self._distance(255 - pixels) < distance


def describe_images(
    images: Pixels, *, background: int = 0, padded: bool = False, sample_bits: int | None = None
) -> ImageFacts:
    """Return the facts about training images that a `Localizer` needs.

    Args:
        images: Training images, uint8 `[n, height, width, channels]`, at least one.
        background: Gray value of the padding and behind transparent pixels, 0..255.
        padded: Whether the images were padded to fit the model input.
        sample_bits: Bits of samples of more than 8 bits, or `None` for those in use.
    """
    low, high = np.quantile(_brightness(images), _QUANTILES, axis=0).round(2).tolist()
    brightness, border = zip(low, high, strict=True)
    return ImageFacts(
        background=background,
        padded=padded,
        brightness=brightness,
        border=border,
        sample_bits=sample_bits,
    )


def appearance_distance(image: Pixels, training: ImageFacts) -> float:
    """Return how much lighter or darker an image or its border is than the training images.

    Args:
        image: Pixels, uint8 `[height, width, channels]`.
        training: Facts about the training images.

    Returns:
        Difference in gray values, 0..255; 0 within the range of the training images or if
        their range is unknown.
    """
    if training.brightness is None or training.border is None:
        return 0.0
    (values,) = _brightness(image[None])
    low, high = np.transpose([training.brightness, training.border])
    return float(np.maximum(low - values, values - high).clip(min=0.0).max())


def _brightness(images: Pixels) -> npt.NDArray[np.float64]:
    """Return the mean of each image and of its outermost rows and columns, `[n, 2]`."""
    gray = images.mean(axis=3, dtype=np.float64)
    border = np.concatenate(
        [gray[:, 0, :], gray[:, -1, :], gray[:, 1:-1, 0], gray[:, 1:-1, -1]], axis=1
    )
    return np.stack([gray.mean(axis=(1, 2)), border.mean(axis=1)], axis=1)


def _each(images: AnyImage | Iterable[AnyImage]) -> Iterator[AnyImage]:
    if isinstance(images, str | os.PathLike | Image.Image):
        return iter([images])
    if isinstance(images, np.ndarray) and images.ndim <= 3:
        return iter([images])
    if not isinstance(images, Iterable) or isinstance(images, bytes):
        raise ImageError(
            f"images is of type {type(images).__name__}; give a path, a Pillow image, an array, or "
            "several of them"
        )
    return iter(images)


def _as_pillow(array: npt.NDArray[Any]) -> Image.Image:
    found = f"an image is an array of shape {array.shape} and type {array.dtype}"
    if array.dtype != np.uint8:
        raise ImageError(f"{found}; give the pixels as uint8, 0 to 255")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in _ARRAY_CHANNELS or 0 in array.shape:
        raise ImageError(
            f"{found}; give [height, width], or [height, width, channels] with 1, 3 or 4 channels"
        )
    return Image.fromarray(np.ascontiguousarray(array))
