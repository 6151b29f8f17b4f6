"""Export of the localizer to other formats, with a parity check of each exported file."""

import logging
import statistics
import tempfile
import timeit
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_localization.config.results import EvaluateSettings, ExportSettings, ToleranceSettings
from mnist_localization.data.boxes import clip_boxes, paired_iou
from mnist_localization.data.images.store import ImageStore, SplitDataset
from mnist_localization.errors import ModelError
from mnist_localization.evaluation.predictions import finite_outputs, in_batches
from mnist_localization.evaluation.staleness import handle_stale, stale_model
from mnist_localization.export.formats import Predictor, export_format
from mnist_localization.files import atomic_path, remove
from mnist_localization.models.runs import Runs
from mnist_localization.registry import module_names

logger = logging.getLogger(__name__)

_WARM_UP_RUNS = 3

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Parity:
    """Agreement of a model with a reference model, and its scores.

    Attributes:
        probability: Largest difference of any probability.
        box_pixels: Largest difference of any box edge, in pixels of the model input.
        label_accuracy: Share of correct labels, in [0, 1].
        mean_iou: Mean IoU with the annotated boxes, in [0, 1].
    """

    probability: float
    box_pixels: float
    label_accuracy: float
    mean_iou: float


@dataclass(frozen=True)
class ExportRow:
    """Row of the dataset `export_report`: one exported file.

    Attributes:
        format: Name of the format, or `keras` for the model itself.
        file: Name of the file or folder.
        size_bytes: Size of the file, or of all files in the folder.
        images: Number of images in the parity check.
        probability: As in `Parity`.
        box_pixels: As in `Parity`.
        label_accuracy: As in `Parity`.
        mean_iou: As in `Parity`.
        latency_ms: Median time to predict a single image on this machine.
    """

    format: str
    file: str
    size_bytes: int
    images: int
    probability: float
    box_pixels: float
    label_accuracy: float
    mean_iou: float
    latency_ms: float


REPORT_COLUMNS = tuple(field.name for field in fields(ExportRow))


def export_localizer(
    settings: ExportSettings,
    evaluate: EvaluateSettings,
    seed: int,
    runs: Runs,
    train_split: SplitDataset,
    test_split: SplitDataset,
    exported_models: Path,
) -> pd.DataFrame:
    """Write the localizer in each configured format and compare each file to the Keras model.

    The files replace those of an earlier export once all of them have passed. Files of formats
    that are not configured are removed because they may belong to an earlier model. A model
    with mixed precision is exported and compared as a float32 model.

    Args:
        settings: Section `export`.
        evaluate: Section `evaluate`, for the reaction to a model of another split.
        seed: Seed of the choice of images.
        runs: Kept runs, of which `export.model` is exported.
        train_split: Source of the representative images that set quantization ranges.
        test_split: Source of the images of the parity check.
        exported_models: Folder of the exported files. It contains nothing else.

    Returns:
        One row per format with the fields of `ExportRow`, starting with the Keras model itself.

    Raises:
        ModelError: A format cannot be written, or differs too much from the Keras model.
        StaleError: The model was not trained on the splits, and `evaluate.on_stale` is `error`.
    """
    from mnist_localization.models.saving import computed_in_float32, provenance

    train, test = train_split.store, test_split.store
    localizer = runs.load(settings.model)
    handle_stale(stale_model(provenance(localizer), [train.meta, test.meta]), evaluate.on_stale)
    localizer = computed_in_float32(localizer)
    samples = train.read(train.sample(settings.representative_images, seed))
    checked = test.sample(settings.checked_images or len(test), seed)
    check = _ParityCheck(localizer.predict_on_batch, test, checked, settings)
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "localizer.keras"
        localizer.save(saved)
        rows = [check.row("keras", saved.name, saved, check.reference)]
    _remove_leftovers(exported_models)
    with ExitStack() as writes:
        for name in settings.formats:
            logger.info("Exporting %s.", name)
            each = export_format(name)
            temporary = writes.enter_context(atomic_path(exported_models / each.file_name))
            each.write(localizer, temporary, samples)
            rows.append(check.row(name, each.file_name, temporary, each.load(temporary)))
            _check_tolerance(rows[-1], rows[0], settings.tolerance(name))
    for name in set(module_names("export/formats")) - set(settings.formats):
        remove(exported_models / export_format(name).file_name)
    report = pd.DataFrame(rows)
    logger.info("Exported:\n%s", report.to_string(index=False, float_format="%.4f"))
    return report


def compare_outputs(
    predictor: Predictor,
    reference: Predictor,
    images: ImageStore,
    rows: Rows,
    batch_size: int,
    name: str,
) -> Parity:
    """Run a model and a reference model on the same images and compare their outputs.

    Outputs are not kept beyond their batch, so memory does not grow with images or classes.

    Args:
        predictor: Model to check.
        reference: Model to agree with; if it is the same object, it runs once.
        images: Labeled images.
        rows: Rows of the images to compare on, `[n]`, at least one.
        batch_size: Images per batch.
        name: Name of the model for the progress bar and errors.

    Raises:
        ModelError: An output is not finite.
    """
    height, width, _ = images.shape
    probability = box_pixels = total_iou = 0.0
    correct = 0
    for batch in in_batches(rows, batch_size, name):
        pixels = images.read(batch)
        label, bbox = finite_outputs(predictor, pixels, name)
        expected_label, expected_bbox = (
            (label, bbox) if reference is predictor else finite_outputs(reference, pixels, name)
        )
        edges = np.abs(bbox - expected_bbox) * [width, height, width, height]
        probability = max(probability, float(np.abs(label - expected_label).max()))
        box_pixels = max(box_pixels, float(edges.max()))
        correct += int((label.argmax(axis=1) == images.labels[batch]).sum())
        iou = paired_iou(images.input_boxes[batch], clip_boxes(bbox))
        total_iou += float(iou.sum())
    return Parity(probability, box_pixels, correct / len(rows), total_iou / len(rows))


@dataclass(frozen=True)
class _ParityCheck:
    """Comparison of models with the Keras model on a sample of test images."""

    reference: Predictor
    test: ImageStore
    rows: Rows
    settings: ExportSettings

    def row(self, name: str, file: str, path: Path, predictor: Predictor) -> ExportRow:
        """Measure a model, loaded from a path, whose final file name is given."""
        parity = compare_outputs(
            predictor, self.reference, self.test, self.rows, self.settings.batch_size, name
        )
        return ExportRow(
            format=name,
            file=file,
            size_bytes=_size(path),
            images=len(self.rows),
            **asdict(parity),
            latency_ms=_latency_ms(predictor, self.test, self.settings.latency_runs),
        )


def _check_tolerance(row: ExportRow, reference: ExportRow, allowed: ToleranceSettings) -> None:
    accuracy_loss = reference.label_accuracy - row.label_accuracy
    iou_loss = reference.mean_iou - row.mean_iou
    checks = (
        ("a probability differs by {:.6f}", row.probability, allowed.probability),
        ("a box differs by {:.4f} pixels", row.box_pixels, allowed.box_pixels),
        ("label accuracy drops by {:.4f}", accuracy_loss, allowed.label_accuracy),
        ("mean IoU drops by {:.4f}", iou_loss, allowed.mean_iou),
    )
    exceeded = [
        f"{text.format(value)} (allowed: {limit:g})"
        for text, value, limit in checks
        if value > limit
    ]
    if exceeded:
        raise ModelError(
            f"the exported format {row.format} differs too much from the Keras model: "
            f"{'; '.join(exceeded)}; remove it from export.formats, or raise "
            f"export.tolerances.{row.format}"
        )


def _latency_ms(predictor: Predictor, images: ImageStore, runs: int) -> float:
    image = images.read(np.zeros(1, dtype=np.int64))
    seconds = timeit.repeat(
        lambda: np.asarray(predictor(image)["bbox"]), number=1, repeat=_WARM_UP_RUNS + runs
    )
    return 1000 * statistics.median(seconds[_WARM_UP_RUNS:])


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _remove_leftovers(folder: Path) -> None:
    """Remove temporary files of an export that was killed."""
    for leftover in (*folder.glob(".part-*"), *folder.glob(".old-*")):
        remove(leftover)
