"""What is published of a trained and evaluated model: gallery, table, figures, artifact."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from mnist_localization.config import WandbSettings
from mnist_localization.config.results import WANDB_MAX_IMAGES
from mnist_localization.data.annotated_image import validate
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation import Metrics
from mnist_localization.reporting.gallery import GalleryItem
from mnist_localization.tracking.overlays import overlay, overlays
from mnist_localization.tracking.recorder import Recorder
from mnist_localization.tracking.report_text import (
    curves,
    flat_scores,
    result_text,
    task_text,
)

_GALLERY_KEYS = {
    "worst": "gallery/worst",
    "mistake": "gallery/mistakes",
    "random": "gallery/random",
}
_TABLE = "gallery/table"
_CONFUSION = "scores/confusion_matrix"
_IOU_BINS = 50
# What W&B allows.
_LONGEST_TITLE = 128
_MODEL_FILE = "localizer.keras"


class Localizer(Protocol):
    """What is asked of the trained model."""

    def save(self, filepath: str) -> None:
        """Write it as one `.keras` file."""
        ...

    def get_weights(self) -> list[Any]:
        """Its weights as arrays, in their order."""
        ...


def losses_of(history: pd.DataFrame) -> dict[int, float]:
    """Loss of each epoch, from 1.

    Args:
        history: One row an epoch, with Keras' log names.
    """
    return {int(row["epoch"]): float(row["loss"]) for row in history.to_dict("records")}


@dataclass(frozen=True)
class Publication:
    """All that is published, once.

    Attributes:
        class_names: Name of each class, in the order of the labels.
        gallery: The images to show.
        predictions: The table `predictions`.
        metrics: The scores.
        history: One row an epoch, with Keras' log names.
        dataset_card: What the dataset is.
        localizer: The trained model.
        page: The report as one HTML page.
    """

    class_names: Sequence[str]
    gallery: Sequence[GalleryItem]
    predictions: pd.DataFrame
    metrics: Metrics
    history: pd.DataFrame
    dataset_card: DatasetCard
    localizer: Localizer
    page: str

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the split that was scored."""
        return self.metrics.dataset.fingerprint

    def check(self) -> None:
        """Make sure that every record is fit to be shown.

        Raises:
            RecordError: One is not; names the image.
        """
        validate([item.annotated for item in self.gallery], self.class_names)

    def facts(self) -> dict[str, Any]:
        """What the run's configuration says of the data."""
        return {
            "dataset_card": self.dataset_card.model_dump(mode="json"),
            "fingerprint": self.fingerprint,
            "evaluated": self.metrics.dataset.model_dump(),
        }

    def content_hash(self, settings: WandbSettings) -> str:
        """Digest of all that is published and of where: equal where there is nothing new."""
        digest = hashlib.sha256()
        said = [
            settings.project,
            settings.entity,
            list(self.class_names),
            self.metrics.model_dump(mode="json"),
            self.dataset_card.model_dump(mode="json"),
            [(item.annotated.file, item.reasons) for item in self.gallery],
        ]
        digest.update(json.dumps(said, sort_keys=True, default=str).encode())
        for table in (self.predictions, self.history):
            digest.update(table.to_csv(index=False, float_format="%.9g").encode())
        for weights in self.localizer.get_weights():
            digest.update(str(weights.shape).encode())
            digest.update(np.ascontiguousarray(weights).tobytes())
        return digest.hexdigest()

    def record_epochs(self, recorder: Recorder, epochs: Collection[int]) -> None:
        """Record the metrics of epochs in a run, as one row each.

        Args:
            recorder: The open run.
            epochs: Their numbers, from 1.
        """
        for row in self.history[self.history["epoch"].isin(epochs)].to_dict("records"):
            named = {f"epoch/{name}": value for name, value in row.items()}
            recorder.log({name: value for name, value in named.items() if not pd.isna(value)})

    def record(self, recorder: Recorder, folder: Path) -> None:
        """Record everything but the epochs in a run.

        Args:
            recorder: The open run.
            folder: Folder of the project where files are staged.
        """
        recorder.log({**self._galleries(), **self._figures(), _TABLE: self._table()})
        recorder.summarize(flat_scores(self.metrics))
        self._record_artifact(recorder, folder)

    def _galleries(self) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for reason, key in _GALLERY_KEYS.items():
            records = [item.annotated for item in self.gallery if reason in item.reasons]
            if records:
                shown[key] = overlays(records[:WANDB_MAX_IMAGES], self.class_names)
        return shown

    def _figures(self) -> dict[str, Any]:
        import wandb

        counts, edges = np.histogram(self.predictions["iou"], bins=_IOU_BINS, range=(0.0, 1.0))
        return {
            "scores/iou": wandb.Histogram(np_histogram=(counts.tolist(), edges.tolist())),
            _CONFUSION: wandb.plot.confusion_matrix(
                y_true=self.predictions["label"].tolist(),
                preds=self.predictions["predicted_label"].tolist(),
                class_names=list(self.class_names),
                title="Confusion matrix of the test images",
            ),
        }

    def _table(self) -> Any:
        import wandb

        columns: list[str | int] = [
            "image",
            "file",
            "why",
            "true",
            "predicted",
            "right",
            "confidence",
            "iou",
        ]
        rows: list[Iterable[Any]] = [
            [
                overlay(item.annotated, self.class_names),
                item.annotated.file,
                ", ".join(item.reasons),
                self.class_names[item.label],
                self.class_names[item.predicted_label],
                item.label == item.predicted_label,
                item.confidence,
                item.iou,
            ]
            for item in self.gallery
        ]
        return wandb.Table(columns=columns, data=rows)

    def _record_artifact(self, recorder: Recorder, folder: Path) -> None:
        import wandb

        staging = Path(tempfile.mkdtemp(prefix="staging-", dir=folder))
        try:
            self.localizer.save(str(staging / _MODEL_FILE))
            contents = {
                "metrics": self.metrics.model_dump(mode="json"),
                "dataset_card": self.dataset_card.model_dump(mode="json"),
            }
            for name, content in contents.items():
                text = json.dumps(content, indent=2, sort_keys=True)
                (staging / f"{name}.json").write_text(text, "utf-8")
            self.predictions.to_parquet(staging / "predictions.parquet", index=False)
            self.history.to_parquet(staging / "training_history.parquet", index=False)
            (staging / "report.html").write_text(self.page, "utf-8")
            artifact = wandb.Artifact(
                "localizer",
                type="model",
                description="Trained localizer with its scores, predictions and report.",
                metadata={"fingerprint": self.fingerprint, **flat_scores(self.metrics)},
            )
            for path in sorted(staging.iterdir()):
                artifact.add_file(str(path))
            recorder.run.log_artifact(artifact, aliases=self._aliases())
        finally:
            # The client has copied the files into its own staging inside the project.
            shutil.rmtree(staging, ignore_errors=True)

    def _aliases(self) -> list[str]:
        return ["latest", *([f"data-{self.fingerprint[:8]}"] if self.fingerprint else [])]

    def report(self, project: str, group: str) -> dict[str, Any]:
        """What the W&B Report says; see `tracking.report`.

        Args:
            project: W&B project.
            group: Name shared by the runs that the report shows.
        """
        media = [key for reason, key in _GALLERY_KEYS.items() if self._shows(reason)]
        return {
            "project": project,
            "group": group,
            "title": f"Bounding boxes {group}"[:_LONGEST_TITLE],
            "description": "Single-object localization: one label and one box for each image.",
            "task": task_text(self.class_names, self.dataset_card),
            "result": result_text(self.metrics),
            "scores": [f"test/{metric.key}" for metric in self.metrics.known_metrics],
            "curves": curves([str(name) for name in self.history.columns]),
            "media": [*media, "epoch/sample"],
            "table": _TABLE,
            "confusion": f"{_CONFUSION}_table",
        }

    def _shows(self, reason: str) -> bool:
        return any(reason in item.reasons for item in self.gallery)
