"""Writing the localizer in each format, and letting none stand that has not been checked."""

import logging
import shutil
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.config import ExportSettings, ToleranceSettings
from mnist_localization.config.results import FormatName
from mnist_localization.errors import ModelError
from mnist_localization.export.formats import FORMATS
from mnist_localization.export.parity import Comparison, LabeledImages, Predictor, compare_outputs

logger = logging.getLogger(__name__)

REPORT_COLUMNS = (
    "format",
    "file",
    "size_bytes",
    "images",
    "probability",
    "box_pixels",
    "label_accuracy",
    "mean_iou",
    "latency_ms",
)
KERAS = "keras"
_WARM_UPS = 3


def export_localizer(
    localizer: Any,
    training: LabeledImages,
    test: LabeledImages,
    settings: ExportSettings,
    folder: Path,
    seed: int,
) -> pd.DataFrame:
    """Write the localizer in each format, and check each file against the Keras model.

    A file takes its place only when it has passed; what stood there stays until then. Files
    of formats that are not asked for are removed: they may be of an earlier model.

    A model of mixed precision is exported, and compare_outputs, as it computes in float32.

    Args:
        localizer: The Keras model: images 0..255 to `label` and `bbox`.
        training: Gives the images that set the ranges of int8 numbers.
        test: What the files are checked on.
        settings: The section `export`.
        folder: Where the files go; it is ours alone.
        seed: Seed of the choice of images.

    Returns:
        One row a format, the first the Keras model itself; columns `REPORT_COLUMNS`.
        `probability` and `box_pixels` are the largest differences from the Keras model,
        `latency_ms` is the median of single images on this machine.

    Raises:
        ModelError: A format cannot be written, or is too far from the Keras model. Names the
            format, what was found and what is allowed.
    """
    from mnist_localization.models.saving import computed_in_float32

    _remove_leftovers(folder)
    localizer = computed_in_float32(localizer)
    samples = training.read(_chosen(len(training), settings.representative_images, seed))
    check = _Check(localizer, test, settings, seed)
    rows = [check.reference_row()]
    try:
        for name in settings.formats:
            beside = folder / f".part-{FORMATS[name].file_name}"
            logger.info("Exporting %s.", name)
            FORMATS[name].write(localizer, beside, samples)
            rows.append(check.row(name, beside))
    except BaseException:
        _remove_leftovers(folder)
        raise
    for name in settings.formats:
        file = FORMATS[name].file_name
        _replace(folder / f".part-{file}", folder / file)
    for other in FORMATS.keys() - set(settings.formats):
        _remove(folder / FORMATS[other].file_name)
    return pd.DataFrame(rows, columns=list(REPORT_COLUMNS))


class _Check:
    """The Keras model, and the images on which each file is held against it."""

    def __init__(
        self, localizer: Any, test: LabeledImages, settings: ExportSettings, seed: int
    ) -> None:
        self._test = test
        self._settings = settings
        self._rows = _chosen(len(test), settings.checked_images or len(test), seed)
        self._localizer = localizer
        self._keras: Predictor = localizer.predict_on_batch
        self._reference = self._compared(self._keras, KERAS)

    def reference_row(self) -> dict[str, Any]:
        """The Keras model's own row of the report."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "localizer.keras"
            self._localizer.save(file)
            size = _size(file)
        return self._described(self._keras, self._reference) | {
            "format": KERAS,
            "file": file.name,
            "size_bytes": size,
        }

    def row(self, name: FormatName, path: Path) -> dict[str, Any]:
        """A format's row of the report.

        Raises:
            ModelError: The file is too far from the Keras model.
        """
        predictor = FORMATS[name].load(path)
        found = self._compared(predictor, name)
        row = self._described(predictor, found) | {
            "format": name,
            "file": FORMATS[name].file_name,
            "size_bytes": _size(path),
        }
        losses = {
            "label_accuracy": self._reference.label_accuracy - found.label_accuracy,
            "mean_iou": self._reference.mean_iou - found.mean_iou,
        }
        _check_tolerance(name, {**row, **losses}, self._settings.tolerances[name])
        return row

    def _compared(self, predictor: Predictor, name: str) -> Comparison:
        batch_size = self._settings.batch_size
        return compare_outputs(predictor, self._keras, self._test, self._rows, batch_size, name)

    def _described(self, predictor: Predictor, found: Comparison) -> dict[str, Any]:
        return {
            "images": len(self._rows),
            **asdict(found),
            "latency_ms": _latency_ms(predictor, self._test, self._settings.latency_runs),
        }


def _check_tolerance(name: str, found: dict[str, Any], allowed: ToleranceSettings) -> None:
    said = {
        "probability": "a probability differs by {:.6f}",
        "box_pixels": "a box differs by {:.4f} pixels",
        "label_accuracy": "label accuracy falls by {:.4f}",
        "mean_iou": "mean IoU falls by {:.4f}",
    }
    mismatches = [
        f"{text.format(found[key])} (allowed: {limit:g})"
        for key, text in said.items()
        if found[key] > (limit := getattr(allowed, key))
    ]
    if mismatches:
        raise ModelError(
            f"the exported format {name} is too far from the Keras model: {'; '.join(mismatches)}; "
            f"take it out of export.formats, or allow more in export.tolerances.{name}"
        )


def _latency_ms(predictor: Predictor, images: LabeledImages, runs: int) -> float:
    image = images.read(np.zeros(1, dtype=np.int64))
    seconds = []
    for run in range(_WARM_UPS + runs):
        started = time.perf_counter()
        np.asarray(predictor(image)["bbox"])
        if run >= _WARM_UPS:
            seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)


def _chosen(total: int, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Rows drawn at random, in order; all where that is what is asked for."""
    if count >= total:
        return np.arange(total, dtype=np.int64)
    drawn = np.random.default_rng(seed).choice(total, count, replace=False)
    return np.sort(drawn).astype(np.int64)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _remove_leftovers(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in (*folder.glob(".part-*"), *folder.glob(".old-*")):
        _remove(leftover)


def _replace(beside: Path, final: Path) -> None:
    """A folder cannot be renamed onto another: the old one is moved away first."""
    if final.is_dir():
        old = final.with_name(f".old-{final.name}")
        final.replace(old)
        beside.replace(final)
        shutil.rmtree(old)
    else:
        beside.replace(final)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
