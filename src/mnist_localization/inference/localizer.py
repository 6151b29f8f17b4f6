"""A saved model for applications: images of any kind in, labels and boxes in pixels out."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from mnist_localization.data.boxes import clip_boxes, pixel_corners
from mnist_localization.data.images import decode_image, into_original, letterboxed, placements
from mnist_localization.data.images.decode import image_pixels
from mnist_localization.errors import ImageError, ModelError
from mnist_localization.inference.appearance import UNLIKE, appearance_from
from mnist_localization.models.provenance import Provenance

Pixels = npt.NDArray[np.uint8]
AnyImage = npt.NDArray[np.uint8] | Image.Image | str | os.PathLike[str]
Invert = bool | Literal["auto"]

_ARRAY_CHANNELS = (1, 3, 4)


class Box(NamedTuple):
    """Corners in pixels of the original image; pixel `i` covers `i` to `i + 1`."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


@dataclass(frozen=True)
class Detection:
    """What the model says of one image.

    Attributes:
        label: Name of the class.
        class_id: Its number, from 0.
        confidence: Probability of the class, in [0, 1].
        box: Where the object is, in pixels of the image as it is seen (EXIF orientation
            applied).
        width: Of the image, pixels.
        height: Of the image, pixels.
        inverted: Whether dark was made light before the model looked.
        unlike_training: Whether the image, inverted or not, looks unlike the training images;
            never so for a model that does not know them.
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
    """An image in the model's input.

    Attributes:
        pixels: uint8, `[height, width, channels]` of the model.
        width: Of the original image, pixels.
        height: Of the original image, pixels.
        inverted: Whether dark was made light.
        unlike_training: Whether it looks unlike the training images.
    """

    pixels: Pixels
    width: int
    height: int
    inverted: bool
    unlike_training: bool


class KerasLocalizer(Protocol):
    """A Keras model, as far as it is needed here."""

    input_shape: tuple[int | None, ...]

    def predict_on_batch(self, images: Pixels, /) -> Mapping[str, npt.ArrayLike]:
        """Images 0..255 to `label` `[n, classes]` and `bbox` `[n, 4]`."""


class Localizer:
    """A trained localizer.

    TensorFlow is loaded with the first model. One localizer can be used for any number of
    images; it is not made for several threads at once.

    Example:
        ```python
        from mnist_localization import Localizer

        localizer = Localizer.load("data/06_models/localizer.keras")
        for found in localizer.predict(["photo.jpg", "scan.png"], invert="auto"):
            print(found.label, found.confidence, found.box)
        ```

    Attributes:
        class_names: Name of each class; its number as text where the model does not know it.
        input_shape: Height, width, channels of the model's input.
    """

    def __init__(
        self, model: KerasLocalizer, provenance: Provenance, max_image_mb: float = 64.0
    ) -> None:
        """Wrap a Keras model; `Localizer.load` is the usual way.

        Args:
            model: The model.
            provenance: Facts about the training that the model carries.
            max_image_mb: Size above which a decoded image is refused unread, in MiB.
        """
        _, height, width, channels = model.input_shape
        if height is None or width is None or channels not in (1, 3):
            raise ModelError(
                f"the model takes images of the shape {model.input_shape[1:]}; a localizer needs "
                "a fixed height and width, and 1 or 3 channels"
            )
        self.input_shape = (height, width, channels)
        self.class_names = provenance.class_names
        self._model = model
        self._background = provenance.images.background
        self._appearance = appearance_from(provenance.images)
        # Padding darkens an image: it counts only where the training images had it too.
        self._padded = provenance.images.padded
        self._max_image_mb = max_image_mb

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_image_mb: float = 64.0) -> "Localizer":
        """A localizer from a `.keras` file, loaded in Keras' safe mode.

        Args:
            path: The file that the stage `train` leaves.
            max_image_mb: Size above which a decoded image, other than an array, is refused
                unread, in MiB.

        Raises:
            ModelError: The file is missing, damaged, no localizer, or would run code of its own.
        """
        from mnist_localization.models.saving import load_localizer, provenance

        model = load_localizer(Path(path))
        return cls(model, provenance(model), max_image_mb)

    def predict(
        self, images: AnyImage | Iterable[AnyImage], *, invert: Invert = False, batch_size: int = 32
    ) -> list[Detection]:
        """Label and box of the object on each image.

        Args:
            images: One image or many: paths, Pillow images, or arrays, uint8 0..255,
                `[height, width]` or `[height, width, channels]` with 1, 3 or 4 channels. Each
                may have a size of its own: it is letterboxed to the model's input.
            invert: Whether dark becomes light before the model looks; `auto` does so for
                images that look more like the training images that way.
            batch_size: Images read and predicted at once.

        Returns:
            One result an image, in their order.

        Raises:
            ImageError: An image is missing, unreadable, too large, or an array of another kind.
            ModelError: The model gives values that are not finite.
        """
        found: list[Detection] = []
        waiting = _each(images)
        while batch := list(islice(waiting, batch_size)):
            found += self.predict_inputs([self.model_input(image, invert) for image in batch])
        return found

    def model_input(self, image: AnyImage, invert: Invert = False) -> ModelInput:
        """An image as the model takes it; arguments and errors as those of `predict`."""
        pixels, inverted = self._read(image), False
        if invert is True or (invert == "auto" and self._looks_inverted(pixels)):
            pixels, inverted = 255 - pixels, True
        unlike = self._distance(pixels) > UNLIKE
        height, width, _ = pixels.shape
        return ModelInput(self._fitted(pixels), width, height, inverted, unlike)

    def predict_inputs(self, inputs: Sequence[ModelInput]) -> list[Detection]:
        """Label and box of the object on each image, all in one batch.

        Raises:
            ModelError: The model gives values that are not finite.
        """
        if not inputs:
            return []
        outputs = self._model.predict_on_batch(np.stack([each.pixels for each in inputs]))
        probabilities = np.asarray(outputs["label"], dtype=np.float64)
        boxes = np.asarray(outputs["bbox"], dtype=np.float64)
        if not (np.isfinite(probabilities).all() and np.isfinite(boxes).all()):
            raise ModelError("the model gives values that are not finite; train it again")
        heights, widths = ([each.height for each in inputs], [each.width for each in inputs])
        placed = placements(heights, widths, *self.input_shape[:2])
        originals = clip_boxes(into_original(boxes, placed))
        return [
            self._detection(each, row, corners)
            for each, row, corners in zip(inputs, probabilities, originals, strict=True)
        ]

    def _detection(
        self, given: ModelInput, probabilities: npt.NDArray[Any], corners: npt.NDArray[Any]
    ) -> Detection:
        class_id = int(probabilities.argmax())
        known = class_id < len(self.class_names)
        return Detection(
            label=self.class_names[class_id] if known else str(class_id),
            class_id=class_id,
            confidence=min(1.0, float(probabilities[class_id])),
            box=Box(*pixel_corners(corners, given.height, given.width)[0].tolist()),
            width=given.width,
            height=given.height,
            inverted=given.inverted,
            unlike_training=given.unlike_training,
        )

    def _read(self, image: AnyImage) -> Pixels:
        channels = self.input_shape[2]
        if isinstance(image, str | os.PathLike):
            path = Path(image)
            if not path.is_file():
                raise ImageError(f"{path}: there is no such file")
            return decode_image(
                path,
                channels=channels,
                max_mb=self._max_image_mb,
                background=self._background,
            )
        limit = self._max_image_mb
        if isinstance(image, np.ndarray):
            # Its pixels are in memory already: there is nothing to refuse unread.
            image, limit = _as_pillow(image), math.inf
        if not isinstance(image, Image.Image):
            raise ImageError(
                f"an image is a {type(image).__name__}; give a path, a Pillow image or an array"
            )
        return image_pixels(image, channels=channels, max_mb=limit, background=self._background)

    def _fitted(self, pixels: Pixels) -> Pixels:
        return letterboxed(pixels, *self.input_shape[:2], self._background)

    def _distance(self, pixels: Pixels) -> float:
        """How far an image is from the training images, 0..255; 0 where they are not known."""
        if self._appearance is None:
            return 0.0
        return self._appearance.distance(self._fitted(pixels) if self._padded else pixels)

    def _looks_inverted(self, pixels: Pixels) -> bool:
        distance = self._distance(pixels)
        return distance > UNLIKE and self._distance(255 - pixels) < distance


def _each(images: AnyImage | Iterable[AnyImage]) -> Iterator[AnyImage]:
    single = images.ndim <= 3 if isinstance(images, np.ndarray) else _is_image(images)
    if single:
        yield cast("AnyImage", images)
    else:
        yield from cast("Iterable[AnyImage]", images)


def _is_image(value: object) -> bool:
    return isinstance(value, str | os.PathLike | Image.Image)


def _as_pillow(array: npt.NDArray[Any]) -> Image.Image:
    shown = f"an image is an array of the shape {array.shape} and type {array.dtype}"
    if array.dtype != np.uint8:
        raise ImageError(f"{shown}; give the pixels as uint8, 0 to 255")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in _ARRAY_CHANNELS or 0 in array.shape:
        raise ImageError(
            f"{shown}; give [height, width], or [height, width, channels] with 1, 3 or 4 channels"
        )
    return Image.fromarray(np.ascontiguousarray(array))
