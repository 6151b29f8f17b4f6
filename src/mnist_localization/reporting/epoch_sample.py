"""A fixed sample of images that is predicted while a network is trained."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage, Box
from mnist_localization.data.boxes import paired_iou
from mnist_localization.data.images import ImageStore


class EpochSample:
    """Some images of a split, with the boxes that a model gives them now."""

    def __init__(
        self,
        store: ImageStore,
        indices: npt.NDArray[np.integer[Any]],
        sets: Sequence[str] = (PREDICTIONS, GROUND_TRUTH),
    ) -> None:
        """Read the sample once.

        Args:
            store: The split.
            indices: Rows of the sample, `[n]`.
            sets: Names of the box sets to show.
        """
        self._images = store.read(indices)
        self._files = store.annotations["file"].to_numpy()[indices]
        self._labels = store.labels[indices]
        self._boxes = store.input_boxes[indices].astype(float)
        self._sets = tuple(sets)

    def records(self, model: keras.Model) -> list[AnnotatedImage]:
        """Predict the sample in one batch.

        Args:
            model: Images 0..255 to `label` (probabilities) and `bbox` (relative corners).
        """
        outputs = model.predict_on_batch(self._images)
        boxes = np.clip(outputs["bbox"].astype(float), 0.0, 1.0)
        # Early in a training corners may come out in the wrong order.
        boxes = np.concatenate(
            [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1
        )
        predicted = outputs["label"].argmax(axis=1)
        confidence = outputs["label"].max(axis=1)
        iou = paired_iou(boxes, self._boxes)
        return [
            self._record(
                row,
                {
                    PREDICTIONS: Box(
                        tuple(map(float, boxes[row])),  # type: ignore[arg-type]
                        int(predicted[row]),
                        {"confidence": float(confidence[row]), "iou": float(iou[row])},
                    ),
                    GROUND_TRUTH: Box(
                        tuple(map(float, self._boxes[row])),  # type: ignore[arg-type]
                        int(self._labels[row]),
                    ),
                },
            )
            for row in range(len(self._images))
        ]

    def _record(self, row: int, boxes: Mapping[str, Box]) -> AnnotatedImage:
        shown = {name: [boxes[name]] for name in self._sets}
        return AnnotatedImage(str(self._files[row]), self._images[row], shown)
