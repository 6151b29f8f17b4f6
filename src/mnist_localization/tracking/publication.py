"""Content that is published on W&B: epochs, gallery, table, figures, scores and artifacts."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from mnist_localization.config.results import WANDB_MAX_IMAGES
from mnist_localization.data.annotated_image import GROUND_TRUTH, PREDICTIONS, AnnotatedImage, Box
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.models.provenance import model_fingerprint
from mnist_localization.reporting.gallery import GalleryItem

if TYPE_CHECKING:
    import wandb

TABLE = "gallery/table"
CONFUSION = "scores/confusion_matrix"
MODEL = "localizer"
_DATASET = "dataset"
_GALLERIES = {"worst": "gallery/worst", "mistake": "gallery/mistakes", "random": "gallery/random"}
_COLUMNS = ["image", "file", "why", "true", "predicted", "right", "confidence", "iou"]
_IOU_BINS = 50


class Localizer(Protocol):
    """Trained Keras model."""

    def save(self, filepath: str) -> None:
        """Write the model as one `.keras` file."""
        ...

    def get_weights(self) -> list[Any]:
        """Return the weights as arrays."""
        ...


@dataclass(frozen=True)
class Publication:
    """Everything that is published once.

    Attributes:
        page: The HTML report.
        run: Name of the kept run of the localizer and its scores; empty if it is unknown.
    """

    class_names: Sequence[str]
    gallery: Sequence[GalleryItem]
    predictions: pd.DataFrame
    metrics: Metrics
    history: pd.DataFrame
    dataset_card: DatasetCard
    localizer: Localizer
    page: str
    run: str = ""

    def config(self) -> dict[str, Any]:
        """Return the facts about the data for the configuration of the run."""
        return {
            "dataset_card": self.dataset_card.model_dump(mode="json"),
            "fingerprint": self.metrics.dataset.fingerprint,
            "evaluated": self.metrics.dataset.model_dump(),
        }

    def content_hash(self, *destination: str) -> str:
        """Return a hash of the content and of its destination on W&B."""
        content = [
            destination,
            list(self.class_names),
            self.metrics.model_dump(mode="json"),
            self.dataset_card.model_dump(mode="json"),
            [(item.annotated.file, item.reasons) for item in self.gallery],
            self.predictions.to_csv(index=False, float_format="%.9g"),
            self.history.to_csv(index=False, float_format="%.9g"),
            model_fingerprint(self.localizer),
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def galleries(self) -> dict[str, list[GalleryItem]]:
        """Return the images of each gallery by its key in the history."""
        chosen = {
            key: [item for item in self.gallery if reason in item.reasons]
            for reason, key in _GALLERIES.items()
        }
        return {key: items for key, items in chosen.items() if items}

    def log_epochs(self, run: "wandb.Run", epochs: Collection[int]) -> None:
        """Log the metrics of epochs as one row of the history each."""
        for row in self.history[self.history["epoch"].isin(epochs)].to_dict("records"):
            run.log({f"epoch/{key}": value for key, value in row.items() if not pd.isna(value)})

    def log(self, run: "wandb.Run", folder: Path, alias: str) -> None:
        """Log everything except the epochs.

        The folder is for temporary files. The alias identifies the version of the model artifact.
        """
        import wandb

        counts, edges = np.histogram(self.predictions["iou"], bins=_IOU_BINS, range=(0.0, 1.0))
        row: dict[str, Any] = {
            key: overlays([item.annotated for item in items], self.class_names)
            for key, items in self.galleries().items()
        }
        row[TABLE] = wandb.Table(columns=[*_COLUMNS], data=self._table_rows())
        row["scores/iou"] = wandb.Histogram(np_histogram=(counts.tolist(), edges.tolist()))
        row[CONFUSION] = wandb.plot.confusion_matrix(
            y_true=self.predictions["label"].tolist(),
            preds=self.predictions["predicted_label"].tolist(),
            class_names=list(self.class_names),
            title="Confusion matrix of the test images",
        )
        run.log(row)
        run.summary.update(flat_scores(self.metrics))
        self._log_model(run, folder, alias)

    def _table_rows(self) -> list[Any]:
        names = self.class_names
        return [
            [
                overlay(item.annotated, names),
                item.annotated.file,
                ", ".join(item.reasons),
                names[item.label],
                names[item.predicted_label],
                item.label == item.predicted_label,
                item.confidence,
                item.iou,
            ]
            for item in self.gallery
        ]

    def _log_model(self, run: "wandb.Run", folder: Path, alias: str) -> None:
        import wandb

        fingerprint = self.metrics.dataset.fingerprint
        artifact = wandb.Artifact(
            MODEL,
            type="model",
            description="Trained localizer with its scores, predictions and report.",
            metadata={"fingerprint": fingerprint, **flat_scores(self.metrics)},
        )
        # The client copies a file when it is added.
        with TemporaryDirectory(dir=folder) as name:
            staging = Path(name)
            self.localizer.save(str(staging / f"{MODEL}.keras"))
            documents = {"metrics": self.metrics, "dataset_card": self.dataset_card}
            for document, model in documents.items():
                text = json.dumps(model.model_dump(mode="json"), indent=2, sort_keys=True)
                (staging / f"{document}.json").write_text(text, "utf-8")
            self.predictions.to_parquet(staging / "predictions.parquet", index=False)
            self.history.to_parquet(staging / "training_history.parquet", index=False)
            (staging / "report.html").write_text(self.page, "utf-8")
            for path in sorted(staging.iterdir()):
                artifact.add_file(str(path))
        run.log_artifact(artifact, aliases=["latest", alias, f"data-{fingerprint[:8]}"])


def model_name(content: str) -> str:
    """Return name and alias of the model artifact; the alias identifies the published content."""
    return f"{MODEL}:content-{content[:12]}"


def dataset_name(card: DatasetCard) -> str:
    """Return name and alias of the dataset artifact; the alias identifies the dataset."""
    return f"{_DATASET}:data-{hashlib.sha256(card.model_dump_json().encode()).hexdigest()[:12]}"


def log_dataset(
    run: "wandb.Run", card: DatasetCard, source_url: str, metadata: Mapping[str, str], folder: Path
) -> None:
    """Log the dataset as an artifact: its card and a reference to its source, but no images.

    A local dataset has no `source_url`. The folder is for temporary files.
    """
    import wandb

    artifact = wandb.Artifact(
        _DATASET,
        type="dataset",
        description="Dataset of the training. The images stay at their source.",
        metadata={"source": card.source, **metadata},
    )
    if source_url:
        artifact.add_reference(source_url, name="source", checksum=False)
    with TemporaryDirectory(dir=folder) as staging:
        path = Path(staging) / "dataset_card.json"
        path.write_text(card.model_dump_json(indent=2), "utf-8")
        artifact.add_file(str(path))
    run.log_artifact(artifact, aliases=["latest", dataset_name(card).partition(":")[2]])


def losses_of(history: pd.DataFrame) -> dict[int, float]:
    """Return the loss of each epoch, from 1."""
    return {int(row["epoch"]): float(row["loss"]) for row in history.to_dict("records")}


def flat_scores(metrics: Metrics) -> dict[str, float]:
    """Return the numbers of `metrics` as `test/<key>` and `baseline/<name>/<key>`."""
    own = {**metrics.scores, "images": metrics.images}
    return {f"test/{key}": value for key, value in own.items()} | {
        f"baseline/{name}/{key}": value
        for name, scores in metrics.known_baselines.items()
        for key, value in scores.items()
    }


def overlay(annotated: AnnotatedImage, class_names: Sequence[str]) -> Any:
    """Return a validated image as a `wandb.Image` with its layers of boxes."""
    import wandb

    labels = dict(enumerate(class_names))
    return wandb.Image(
        annotated.image,
        caption=_caption(annotated, class_names),
        boxes={
            name: {"box_data": [_box(box, labels) for box in boxes], "class_labels": labels}
            for name, boxes in annotated.box_layers.items()
        },
    )


def overlays(annotated: Sequence[AnnotatedImage], class_names: Sequence[str]) -> list[Any]:
    """Return images as `wandb.Image`s of one size, at most as many as W&B shows."""
    images = annotated[:WANDB_MAX_IMAGES]
    height, width = (max(each.image.shape[axis] for each in images) for axis in (0, 1))
    return [overlay(each.padded(height, width), class_names) for each in images]


def _caption(annotated: AnnotatedImage, class_names: Sequence[str]) -> str:
    """Return file, true and predicted classes with their scores, in one line."""
    parts = [annotated.file]
    for name, word in ((GROUND_TRUTH, "true"), (PREDICTIONS, "predicted")):
        for box in annotated.box_layers.get(name, ()):
            scores = ", ".join(f"{score} {value:.3f}" for score, value in box.scores.items())
            parts.append(f"{word} {class_names[box.class_id]}" + (f" ({scores})" if scores else ""))
    return " | ".join(parts)


def _box(box: Box, labels: dict[int, str]) -> dict[str, Any]:
    names = ("minX", "minY", "maxX", "maxY")
    drawn: dict[str, Any] = {
        "position": dict(zip(names, map(float, box.corners), strict=True)),
        "class_id": int(box.class_id),
        "box_caption": labels[box.class_id],
    }
    if box.scores:
        drawn["scores"] = {name: float(value) for name, value in box.scores.items()}
    return drawn
