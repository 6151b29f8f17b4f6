"""The gallery: which test images a report shows, and the box records they are drawn from."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.config import GallerySettings
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
from mnist_localization.data.images import without_padding
from mnist_localization.errors import StaleError

Reason = Literal["worst", "mistake", "random"]


@dataclass(frozen=True)
class GalleryItem:
    """One image of the gallery, and why it is there.

    Attributes:
        record: The image with its true and its predicted box.
        reasons: One or more of: `worst` by IoU, a confident `mistake` in the label, drawn at
            `random`; in this order.
        row: Row of the image in its split, from 0.
        label: True label.
        predicted_label: Most probable label.
        confidence: Probability of the predicted label, in [0, 1].
        iou: IoU of predicted and true box, in [0, 1].
    """

    record: AnnotatedImage
    reasons: tuple[Reason, ...]
    row: int
    label: int
    predicted_label: int
    confidence: float
    iou: float


class ImageSource(Protocol):
    """Images that are read by row, and the table that names them in the same order."""

    @property
    def annotations(self) -> pd.DataFrame:
        """One row an image, with the column `file`."""
        ...

    def read(self, indices: Sequence[int], /) -> npt.NDArray[np.uint8]:
        """Pixels of the given rows, uint8 0..255, `[n, height, width, channels]`."""
        ...


def chosen_rows(
    predictions: pd.DataFrame, settings: GallerySettings, seed: int
) -> list[tuple[int, tuple[Reason, ...]]]:
    """Which rows of the predictions are shown, each once, and why.

    Each kind is chosen among all images: the most confident mistake is one of the mistakes
    though it may be among the worst too, and the sample is one of the whole split. First come
    the worst, then further mistakes, then the rest of the sample in the order of the table. Ties
    go to the earlier row. Where there are fewer than asked for, there are fewer.

    Args:
        predictions: Columns `label, predicted_label, confidence, iou`.
        settings: How many of each kind.
        seed: Seed of the random sample.
    """
    iou = predictions["iou"].to_numpy(np.float64)
    confidence = predictions["confidence"].to_numpy(np.float64)
    wrong = (predictions["label"] != predictions["predicted_label"]).to_numpy()

    worst = np.argsort(iou, kind="stable")[: settings.worst]
    candidates = np.flatnonzero(wrong)
    mistakes = candidates[np.argsort(-confidence[candidates], kind="stable")][: settings.mistakes]
    generator = np.random.default_rng(seed)
    count = min(settings.random, len(predictions))
    sample = np.sort(generator.choice(len(predictions), size=count, replace=False))

    kinds: dict[Reason, npt.NDArray[np.integer[Any]]] = {
        "worst": worst,
        "mistake": mistakes,
        "random": sample,
    }
    chosen: dict[int, tuple[Reason, ...]] = {}
    for reason, rows in kinds.items():
        for row in rows.tolist():
            chosen[row] = (*chosen.get(row, ()), reason)
    return list(chosen.items())


def collect(
    predictions: pd.DataFrame,
    images: ImageSource,
    settings: GallerySettings,
    class_names: Sequence[str],
    seed: int,
) -> list[GalleryItem]:
    """Choose the images that are shown, and make their box records.

    Args:
        predictions: One row an image, keyed by `file`.
        images: The split that was predicted.
        settings: How many of each kind.
        class_names: Name of each class, in the order of the labels.
        seed: Seed of the random sample.

    Raises:
        StaleError: A predicted file is not in the split.
        RecordError: A box is not fit to be shown.
    """
    chosen = chosen_rows(predictions, settings, seed)
    rows = predictions.iloc[[row for row, _ in chosen]].to_dict("records")
    where = {str(file): at for at, file in enumerate(images.annotations["file"])}
    if unknown := [row["file"] for row in rows if row["file"] not in where]:
        raise StaleError(
            f"The predictions name {unknown[0]}, which is not in the test split: they belong to "
            "another split; run `kedro run --pipeline=evaluate` again"
        )
    positions = [where[row["file"]] for row in rows]
    pixels = _as_in_the_files(images, positions)
    sizes = [_file_size(row) for row in rows]
    items = [
        _item(row, position, image, size, reasons)
        for row, position, image, size, (_, reasons) in zip(
            rows, positions, pixels, sizes, chosen, strict=True
        )
    ]
    validate([item.record for item in items], class_names)
    return items


def _item(
    row: Mapping[Hashable, Any],
    position: int,
    image: npt.NDArray[np.uint8],
    file_size: tuple[int, int] | None,
    reasons: tuple[Reason, ...],
) -> GalleryItem:
    confidence, iou = float(row["confidence"]), float(row["iou"])
    label, predicted_label = int(row["label"]), int(row["predicted_label"])
    predicted = Box(
        corners=_corners(row, PREDICTED_BOX_COLUMNS),
        class_id=predicted_label,
        scores={"confidence": confidence, "iou": iou},
    )
    true = Box(corners=_corners(row, BOX_COLUMNS), class_id=label)
    return GalleryItem(
        record=AnnotatedImage(
            file=str(row["file"]),
            image=image,
            box_layers={PREDICTIONS: (predicted,), GROUND_TRUTH: (true,)},
            file_size=file_size,
        ),
        reasons=reasons,
        row=position,
        label=label,
        predicted_label=predicted_label,
        confidence=confidence,
        iou=iou,
    )


def _as_in_the_files(images: ImageSource, positions: Sequence[int]) -> list[npt.NDArray[np.uint8]]:
    """Pixels of the given rows, without padding: predictions are relative to that."""
    pixels = list(images.read(positions))
    if PLACEMENT_COLUMNS[0] not in images.annotations:
        return pixels
    placed = images.annotations[list(PLACEMENT_COLUMNS)].to_numpy()[list(positions)]
    return [without_padding(image, place) for image, place in zip(pixels, placed, strict=True)]


def _file_size(row: Mapping[Hashable, Any]) -> tuple[int, int] | None:
    if SIZE_COLUMNS[0] not in row:
        return None
    height, width = (int(row[name]) for name in SIZE_COLUMNS)
    return height, width


def _corners(
    row: Mapping[Hashable, Any], columns: Sequence[str]
) -> tuple[float, float, float, float]:
    xmin, ymin, xmax, ymax = (float(row[column]) for column in columns)
    return xmin, ymin, xmax, ymax
