"""The loop of the notebook of 2020, as its report describes it, as a yardstick.

Every image is read and decoded from its file in every epoch, the order is shuffled within
1,024 images, batches hold 32, pixels go in as 0..255, the test split is the validation, and
after each epoch 32 images are predicted one by one for the log.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
import tensorflow as tf

from benchmarks.stopwatch import Stopwatch
from mnist_localization.data.boxes import BOX_COLUMNS
from mnist_localization.models.architecture import ModelSpec, build_network
from mnist_localization.models.metrics import MeanBoxIoU

BATCH = 32
_SHUFFLED_WITHIN = 1024
_LOGGED = 32
_REPORT = {"dropout": 0.3, "regression_units": [64, 32], "rescale": False}


class NotebookLoop:
    """The report's model and its input pipeline."""

    def __init__(
        self, train: pd.DataFrame, test: pd.DataFrame, folders: Mapping[str, Path], spec: ModelSpec
    ) -> None:
        """Build and compile.

        Args:
            train: Training annotations, all of them.
            test: Test annotations.
            folders: `train` and `test` to the folder of the images.
            spec: What the data asks of a model.
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
        """Speed of some batches, from files to updated weights.

        Args:
            batches: How many are timed, after a few that are not.
        """
        stopwatch = Stopwatch(batches // 4)
        pipeline = self._pipeline("train").take(batches // 4 + batches)
        self._model.fit(pipeline, shuffle=False, verbose=0, callbacks=[stopwatch])
        return BATCH * stopwatch.batches_per_second

    def epoch(self) -> dict[str, float]:
        """One whole epoch with validation and log.

        Returns:
            `seconds`, `label_accuracy` and `mean_iou` on the validation images.
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
            dataset = dataset.shuffle(_SHUFFLED_WITHIN)
        dataset = dataset.map(self._decoded, num_parallel_calls=tf.data.AUTOTUNE)
        return dataset.batch(BATCH).prefetch(tf.data.AUTOTUNE)

    def _decoded(self, file: tf.Tensor, targets: Any) -> tuple[tf.Tensor, Any]:
        image = tf.io.decode_png(tf.io.read_file(file), channels=self._spec.channels)
        return tf.ensure_shape(tf.cast(image, tf.float32), self._spec.shape), targets

    def _log_predictions(self) -> None:
        for image, _ in self._pipeline("test").unbatch().take(_LOGGED):
            self._model.predict(image[None], verbose=0)


def seeded(seed: int) -> None:
    """Seed all generators."""
    keras.utils.set_random_seed(seed)
