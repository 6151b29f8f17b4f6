"""Images of a split with their boxes: the gallery of the reports and the sample of an epoch."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.config.results import EpochSampleSettings, GallerySettings
from mnist_localization.data.annotated_image import (
    GROUND_TRUTH,
    PREDICTIONS,
    AnnotatedImage,
    Box,
    validate,
)
from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    PLACEMENT_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    SIZE_COLUMNS,
)
from mnist_localization.data.images.letterbox import crop_padding
from mnist_localization.data.images.store import ImageStore
from mnist_localization.errors import StaleError
from mnist_localization.evaluation.predictions import Predictor, prediction_table

Reason = Literal["worst", "mistake", "random"]


@dataclass(frozen=True)
class GalleryItem:
    """An image of the gallery and the reasons it was chosen for.

    Attributes:
        annotated: The image with its true and its predicted box.
        reasons: One or more of `worst` (by IoU), `mistake` (confident, in the label) and
            `random`, in this order.
        row: Row of the image in its split, from 0.
        label: True label.
        predicted_label: Most probable label.
        confidence: Probability of the predicted label, in [0, 1].
        iou: IoU of predicted and true box, in [0, 1].
    """

    annotated: AnnotatedImage
    reasons: tuple[Reason, ...]
    row: int
    label: int
    predicted_label: int
    confidence: float
    iou: float


class ImageSource(Protocol):
    """Images that are read by row, with a table that names them in the same order."""

    @property
    def annotations(self) -> pd.DataFrame:
        """Return one row per image with the column `file`; see `ImageStore`."""
        ...

    def read_annotations(self, indices: Sequence[int], /) -> pd.DataFrame:
        """Return the given rows of `annotations`."""
        ...

    def read(self, indices: Sequence[int], /) -> npt.NDArray[np.uint8]:
        """Return the pixels of the given rows, uint8 0..255, `[n, height, width, channels]`."""
        ...


def choose_rows(
    predictions: pd.DataFrame, settings: GallerySettings, seed: int
) -> dict[int, tuple[Reason, ...]]:
    """Choose rows of the predictions to show.

    Each kind is chosen from all images, so a row can have several reasons. The worst images come
    first, then further mistakes, then further images of the sample in the order of the table.
    Ties go to the earlier row. If there are fewer images than requested, all are chosen.

    Args:
        predictions: Columns `label, predicted_label, confidence, iou`.
        settings: Number of images of each kind.
        seed: Seed of the random sample.

    Returns:
        The reasons of each chosen row.
    """
    iou = predictions["iou"].to_numpy(np.float64)
    confidence = predictions["confidence"].to_numpy(np.float64)
    wrong = np.flatnonzero(predictions["label"] != predictions["predicted_label"])
    generator = np.random.default_rng(seed)
    size = min(settings.random, len(predictions))
    kinds: dict[Reason, npt.NDArray[np.integer[Any]]] = {
        "worst": np.argsort(iou, kind="stable")[: settings.worst],
        "mistake": wrong[np.argsort(-confidence[wrong], kind="stable")][: settings.mistakes],
        "random": np.sort(generator.choice(len(predictions), size=size, replace=False)),
    }
    chosen: dict[int, tuple[Reason, ...]] = {}
    for reason, rows in kinds.items():
        for row in rows.tolist():
            chosen[row] = (*chosen.get(row, ()), reason)
    return chosen


def collect(
    predictions: pd.DataFrame,
    images: ImageSource,
    settings: GallerySettings,
    class_names: Sequence[str],
    seed: int,
) -> list[GalleryItem]:
    """Choose test images and return them with their boxes.

    Args:
        predictions: One row per image, keyed by `file`.
        images: The split that was predicted.
        settings: Number of images of each kind.
        class_names: Name of each class, in the order of the labels.
        seed: Seed of the random sample.

    Raises:
        StaleError: A predicted file is not in the split.
        RecordError: A box cannot be drawn.
    """
    chosen = choose_rows(predictions, settings, seed)
    table = predictions.iloc[list(chosen)]
    positions = _positions(table, images)
    annotated = validate(annotated_images(table, images, positions), class_names)
    outcomes = table[["label", "predicted_label", "confidence", "iou"]].itertuples(index=False)
    rows = zip(annotated, chosen.values(), positions, outcomes, strict=True)
    return [
        GalleryItem(image, reasons, position, *outcome)
        for image, reasons, position, outcome in rows
    ]


def annotated_images(
    table: pd.DataFrame, images: ImageSource, positions: Sequence[int]
) -> list[AnnotatedImage]:
    """Return images as in their files, without padding, and their boxes.

    Args:
        table: One row per image, with columns `file, label` and `BOX_COLUMNS`, and the columns
            of the table `predictions` if predicted boxes are wanted.
        images: The split that holds the files.
        positions: Row of each file in the split.
    """
    pixels = list(images.read(positions))
    sizes: Sequence[tuple[int, int] | None] = [None] * len(pixels)
    placed = images.read_annotations(positions)
    if PLACEMENT_COLUMNS[0] in placed:
        placements = placed[list(PLACEMENT_COLUMNS)].to_numpy()
        pixels = [crop_padding(*pair) for pair in zip(pixels, placements, strict=True)]
        sizes = [(int(h), int(w)) for h, w in placed[list(SIZE_COLUMNS)].to_numpy()]
    return [
        AnnotatedImage(str(row["file"]), image, _box_layers(row), size)
        for row, image, size in zip(table.to_dict("records"), pixels, sizes, strict=True)
    ]


class EpochSample:
    """Fixed images of a split that are predicted again during training."""

    def __init__(self, store: ImageStore, settings: EpochSampleSettings, seed: int) -> None:
        """Draw the sample.

        Args:
            store: The split.
            settings: Number of images, and the layers of boxes to show.
            seed: Seed of the draw.
        """
        self._rows = store.sample(settings.images, seed)
        self._store, self._settings = store, settings

    def predict(self, predictor: Predictor) -> list[AnnotatedImage]:
        """Predict the sample in one batch, with the rules of the table `predictions`.

        Args:
            predictor: Returns `label` (probabilities) and `bbox` (relative corners).
        """
        outputs = predictor(self._store.read(self._rows))
        label, bbox = np.asarray(outputs["label"]), np.asarray(outputs["bbox"])
        annotations = self._store.read_annotations(self._rows)
        table = prediction_table(annotations, label.argmax(axis=1), label.max(axis=1), bbox, bbox)
        return [
            replace(
                image, box_layers={name: image.box_layers[name] for name in self._settings.sets}
            )
            for image in annotated_images(table, self._store, self._rows.tolist())
        ]


def _positions(table: pd.DataFrame, images: ImageSource) -> list[int]:
    """Return the row in the split of each file of a table."""
    position = {file: at for at, file in enumerate(images.annotations["file"])}
    if unknown := [file for file in table["file"] if file not in position]:
        raise StaleError(
            f"{unknown[0]} is in the predictions, but not in the split; the predictions are of "
            "another split, so run `kedro run --pipelines=evaluate` again"
        )
    return [position[file] for file in table["file"]]


def _box_layers(row: Mapping[Hashable, Any]) -> dict[str, tuple[Box, ...]]:
    layers: dict[str, tuple[Box, ...]] = {}
    layers[GROUND_TRUTH] = (Box(_corners(row, BOX_COLUMNS), int(row["label"])),)
    if PREDICTED_BOX_COLUMNS[0] in row:
        scores = {name: float(row[name]) for name in ("confidence", "iou")}
        corners = _corners(row, PREDICTED_BOX_COLUMNS)
        layers[PREDICTIONS] = (Box(corners, int(row["predicted_label"]), scores),)
    return layers


def _corners(
    row: Mapping[Hashable, Any], columns: Sequence[str]
) -> tuple[float, float, float, float]:
    xmin, ymin, xmax, ymax = (float(row[column]) for column in columns)
    return xmin, ymin, xmax, ymax
