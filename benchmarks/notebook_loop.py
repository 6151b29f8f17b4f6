"""Training loop of the original notebook (2020) as described in its report, as a baseline.

Each image is read and decoded from its file in every epoch, the shuffle buffer holds 1,024 images,
the batch size is 32, pixels are not scaled (0..255), the test split is used for validation, and
32 images are predicted one by one after each epoch for the log.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mnist_localization import backend  # noqa: F401  # isort: skip
import tensorflow as tf

from benchmarks.stopwatch import Stopwatch
from mnist_localization.data.boxes import BOX_COLUMNS
from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.metrics import MeanBoxIoU

BATCH_SIZE = 32
_SHUFFLE_BUFFER = 1024
_LOGGED_IMAGES = 32
_REPORT = {"dropout": 0.3, "regression_units": [64, 32], "rescale": False}


class NotebookLoop:
    """Model and input pipeline of the report."""

    def __init__(
        self, train: pd.DataFrame, test: pd.DataFrame, folders: Mapping[str, Path], spec: ModelSpec
    ) -> None:
        """Build and compile the model.

        Args:
            train: All training annotations.
            test: Test annotations.
            folders: Image folder of `train` and `test`.
            spec: Specification of the model.
        """
        self._spec = spec
        self._train, self._test = train, test
        self._folders = folders
        self._model = build_network("report2020", _REPORT, spec).trainable
        self._model.compile(
            optimizer="adam",
            loss={"label": "sparse_categorical_crossentropy", "bbox": "mse"},
            metrics={"label": "accuracy", "bbox": MeanBoxIoU()},
        )

    def images_per_second(self, batches: int) -> float:
        """Return the training speed, including the input pipeline.

        Args:
            batches: Timed batches; a quarter as many run before as warm-up.
        """
        stopwatch = Stopwatch(batches // 4)
        pipeline = self._pipeline("train").take(batches // 4 + batches)
        self._model.fit(pipeline, shuffle=False, verbose=0, callbacks=[stopwatch])
        return BATCH_SIZE * stopwatch.batches_per_second

    def epoch(self) -> dict[str, float]:
        """Train for one epoch with validation and logging.

        Returns:
            `seconds`, and `label_accuracy` and `mean_iou` on the test split.
        """
        started = time.perf_counter()
        validation = self._pipeline("test")
        self._model.fit(
            self._pipeline("train"), validation_data=validation, shuffle=False, verbose=0
        )
        self._log_predictions()
        seconds = time.perf_counter() - started
        scores = self._model.evaluate(validation, verbose=0, return_dict=True)
        return {
            "seconds": seconds,
            "label_accuracy": scores["label_accuracy"],
            "mean_iou": scores["bbox_mean_iou"],
        }

    def _pipeline(self, split: str) -> tf.data.Dataset:
        table = self._train if split == "train" else self._test
        files = [str(self._folders[split] / name) for name in table["file"]]
        targets = {
            "label": table["label"].to_numpy(np.int64),
            "bbox": table[list(BOX_COLUMNS)].to_numpy(np.float32),
        }
        dataset = tf.data.Dataset.from_tensor_slices((files, targets))
        if split == "train":
            dataset = dataset.shuffle(_SHUFFLE_BUFFER)
        dataset = dataset.map(self._decode, num_parallel_calls=tf.data.AUTOTUNE)
        return dataset.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)

    def _decode(self, file: tf.Tensor, targets: Any) -> tuple[tf.Tensor, Any]:
        image = tf.io.decode_png(tf.io.read_file(file), channels=self._spec.channels)
        return tf.ensure_shape(tf.cast(image, tf.float32), self._spec.shape), targets

    def _log_predictions(self) -> None:
        for image, _ in self._pipeline("test").unbatch().take(_LOGGED_IMAGES):
            self._model.predict(image[None], verbose=0)
