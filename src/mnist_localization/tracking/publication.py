"""Content that is published on W&B: epochs, gallery, table, figures, scores and artifacts."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from mnist_localization.data.annotated_image import validate
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.evaluation.scores import Metrics
from mnist_localization.reporting.gallery import GalleryItem
from mnist_localization.tracking.overlays import overlay, overlays

if TYPE_CHECKING:
    import wandb

GALLERIES = {
    "worst": "gallery/worst",
    "mistake": "gallery/mistakes",
    "random": "gallery/random",
}
TABLE = "gallery/table"
CONFUSION = "scores/confusion_matrix"
MODEL = "localizer"
_DATASET = "dataset"
_COLUMNS = ["image", "file", "why", "true", "predicted", "right", "confidence", "iou"]
_IOU_BINS = 50


class Localizer(Protocol):
    """Trained model, as far as publishing needs it."""

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
        class_names: Name of each class, in the order of the labels.
        gallery: Images to show.
        predictions: The table `predictions`.
        metrics: The dataset `metrics`.
        history: One row per epoch, with the names of Keras' logs.
        dataset_card: The dataset card.
        localizer: The trained model.
        page: Renders the HTML report; called only if something is published.
    """

    class_names: Sequence[str]
    gallery: Sequence[GalleryItem]
    predictions: pd.DataFrame
    metrics: Metrics
    history: pd.DataFrame
    dataset_card: DatasetCard
    localizer: Localizer
    page: Callable[[], str]

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the split that was scored."""
        return self.metrics.dataset.fingerprint

    def validate(self) -> None:
        """Validate the images of the gallery.

        Raises:
            RecordError: A box of an image cannot be drawn.
        """
        validate([item.annotated for item in self.gallery], self.class_names)

    def config(self) -> dict[str, Any]:
        """Return the facts about the data for the configuration of the run."""
        return {
            "dataset_card": self.dataset_card.model_dump(mode="json"),
            "fingerprint": self.fingerprint,
            "evaluated": self.metrics.dataset.model_dump(),
        }

    def content_hash(self, project: str, entity: str) -> str:
        """Return a hash of the content and of its destination."""
        digest = hashlib.sha256()
        content = [
            project,
            entity,
            list(self.class_names),
            self.metrics.model_dump(mode="json"),
            self.dataset_card.model_dump(mode="json"),
            [(item.annotated.file, item.reasons) for item in self.gallery],
        ]
        digest.update(json.dumps(content, sort_keys=True, default=str).encode())
        for table in (self.predictions, self.history):
            digest.update(table.to_csv(index=False, float_format="%.9g").encode())
        for weights in self.localizer.get_weights():
            digest.update(str(weights.shape).encode())
            digest.update(np.ascontiguousarray(weights).tobytes())
        return digest.hexdigest()

    def log_epochs(self, run: "wandb.Run", epochs: Collection[int]) -> None:
        """Log the metrics of epochs as one row of the history each."""
        for row in self.history[self.history["epoch"].isin(epochs)].to_dict("records"):
            run.log({f"epoch/{key}": value for key, value in row.items() if not pd.isna(value)})

    def log(self, run: "wandb.Run", folder: Path, alias: str) -> None:
        """Log everything except the epochs.

        Args:
            run: The open run.
            folder: Folder inside the project for temporary files.
            alias: Alias that identifies this version of the model artifact.
        """
        run.log({**self._galleries(), **self._figures(), TABLE: self._table()})
        run.summary.update(flat_scores(self.metrics))
        aliases = ["latest", alias]
        if self.fingerprint:
            aliases.append(f"data-{self.fingerprint[:8]}")
        with _staging(folder) as staging:
            run.log_artifact(self._model_artifact(staging), aliases=aliases)

    def galleries(self) -> dict[str, list[GalleryItem]]:
        """Return the keys of the galleries in the history, with their images."""
        chosen = {
            key: [item for item in self.gallery if reason in item.reasons]
            for reason, key in GALLERIES.items()
        }
        return {key: items for key, items in chosen.items() if items}

    def _galleries(self) -> dict[str, Any]:
        return {
            key: overlays([item.annotated for item in items], self.class_names)
            for key, items in self.galleries().items()
        }

    def _figures(self) -> dict[str, Any]:
        import wandb

        counts, edges = np.histogram(self.predictions["iou"], bins=_IOU_BINS, range=(0.0, 1.0))
        return {
            "scores/iou": wandb.Histogram(np_histogram=(counts.tolist(), edges.tolist())),
            CONFUSION: wandb.plot.confusion_matrix(
                y_true=self.predictions["label"].tolist(),
                preds=self.predictions["predicted_label"].tolist(),
                class_names=list(self.class_names),
                title="Confusion matrix of the test images",
            ),
        }

    def _table(self) -> Any:
        import wandb

        names = self.class_names
        rows: list[Any] = [
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
        return wandb.Table(columns=[*_COLUMNS], data=rows)

    def _model_artifact(self, staging: Path) -> Any:
        import wandb

        self.localizer.save(str(staging / f"{MODEL}.keras"))
        documents = {"metrics": self.metrics, "dataset_card": self.dataset_card}
        for name, document in documents.items():
            text = json.dumps(document.model_dump(mode="json"), indent=2, sort_keys=True)
            (staging / f"{name}.json").write_text(text, "utf-8")
        self.predictions.to_parquet(staging / "predictions.parquet", index=False)
        self.history.to_parquet(staging / "training_history.parquet", index=False)
        (staging / "report.html").write_text(self.page(), "utf-8")
        artifact = wandb.Artifact(
            MODEL,
            type="model",
            description="Trained localizer with its scores, predictions and report.",
            metadata={"fingerprint": self.fingerprint, **flat_scores(self.metrics)},
        )
        for path in sorted(staging.iterdir()):
            artifact.add_file(str(path))
        return artifact


def losses_of(history: pd.DataFrame) -> dict[int, float]:
    """Return the loss of each epoch, from 1."""
    return {int(row["epoch"]): float(row["loss"]) for row in history.to_dict("records")}


def flat_scores(metrics: Metrics) -> dict[str, float]:
    """Return the numbers of `metrics` as `test/<key>` and `baseline/<name>/<key>`."""
    own = {**metrics.scores, "images": metrics.images}
    return {f"test/{name}": value for name, value in own.items()} | {
        f"baseline/{baseline}/{name}": value
        for baseline, scores in metrics.known_baselines.items()
        for name, value in scores.items()
    }


def dataset_name(card: DatasetCard) -> str:
    """Return name and alias of the dataset artifact; the alias identifies the dataset."""
    return f"{_DATASET}:data-{hashlib.sha256(card.model_dump_json().encode()).hexdigest()[:12]}"


def log_dataset(
    run: "wandb.Run", card: DatasetCard, source_url: str, facts: Mapping[str, Any], folder: Path
) -> None:
    """Log the dataset as an artifact: its card and a reference to its source, but no images.

    Args:
        run: The open run.
        card: The dataset card.
        source_url: URL that the dataset was fetched from, without secrets; empty if it is local.
        facts: Metadata, such as fingerprints.
        folder: Folder inside the project for temporary files.
    """
    import wandb

    name, _, alias = dataset_name(card).partition(":")
    artifact = wandb.Artifact(
        name,
        type="dataset",
        description="Dataset of the training. The images stay at their source.",
        metadata={"source": card.source, **facts},
    )
    if source_url:
        artifact.add_reference(source_url, name="source", checksum=False)
    with _staging(folder) as staging:
        path = staging / "dataset_card.json"
        path.write_text(card.model_dump_json(indent=2), "utf-8")
        artifact.add_file(str(path))
        run.log_artifact(artifact, aliases=["latest", alias])


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder; the client copies files when they are added to an artifact."""
    staging = Path(tempfile.mkdtemp(prefix="staging-", dir=folder))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
