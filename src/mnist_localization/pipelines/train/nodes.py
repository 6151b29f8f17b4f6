"""Nodes of the stage `train`."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mnist_localization.config import (
    DatasetSettings,
    EpochSampleSettings,
    TrainSettings,
    WandbSettings,
)
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images import ImageStore, SplitDataset
from mnist_localization.inference import describe_images
from mnist_localization.models.provenance import Provenance
from mnist_localization.tracking import Tracker

logger = logging.getLogger(__name__)

# Training images that say how light they all are.
_LOOKED_AT = 512
# Key of `training_history.attrs`, which Parquet keeps: name of the training's checkpoint.
_CHECKPOINT = "checkpoint"


def train_localizer(
    settings: TrainSettings,
    dataset: DatasetSettings,
    wandb: WandbSettings,
    seed: int,
    dataset_card: DatasetCard,
    train_split: SplitDataset,
    validation_split: SplitDataset,
    training_checkpoints: Path,
    tracker: Tracker,
) -> tuple[Any, pd.DataFrame]:
    """Build the configured architecture and fit it.

    Returns:
        The localizer (a Keras model) with the weights of its best epoch, and the history.
    """
    from mnist_localization.models.architecture import ModelSpec, build_network
    from mnist_localization.models.statistics import compute_box_statistics
    from mnist_localization.training import fit_network, hardware, make_repeatable, training_key

    train, validation = train_split.store, validation_split.store
    make_repeatable(seed, deterministic=settings.deterministic)
    provenance = _provenance(settings, dataset, seed, train, validation)
    spec = ModelSpec(
        *dataset.image.shape,
        classes=len(dataset.class_names),
        # Whole pixels of the files are none of the model's input once images were resized.
        whole_pixel_boxes=dataset.whole_pixel_boxes and not train.resized,
        provenance=provenance,
        box_statistics=compute_box_statistics(train),
    )
    if validation.meta.drawn_from == "test":
        logger.warning("This training validates on the test split.")
    key = training_key(settings, seed, provenance)
    tracker.start_training(
        {"training": provenance.to_json(), "dataset_card": dataset_card.model_dump(mode="json")},
        key=key,
    )
    with hardware(settings):
        network = build_network(
            settings.architecture, settings.architectures[settings.architecture], spec
        )
        logger.info(
            "Training %s (%s parameters) on %d images, validating on %d.",
            settings.architecture,
            f"{network.localizer.count_params():,}",
            len(train),
            len(validation),
        )
        result = fit_network(
            network,
            spec,
            train,
            validation,
            settings,
            seed=seed,
            checkpoint_folder=training_checkpoints / key,
            on_epoch_end=_epoch_logger(tracker, validation, dataset, wandb.epoch_sample, seed),
        )
    tracker.end_training()
    result.history.attrs[_CHECKPOINT] = key
    return result.localizer, result.history


def forget_checkpoint(training_history: pd.DataFrame, training_checkpoints: Path) -> None:
    """Remove the checkpoint of a training, now that what came of it is on disk.

    A training that is killed between its last epoch and this goes on from the checkpoint.
    """
    from mnist_localization.training import Checkpoint

    if key := training_history.attrs.get(_CHECKPOINT):
        Checkpoint(training_checkpoints / key).remove()


def plot_learning_curves(training_history: pd.DataFrame) -> Any:
    """Loss, label accuracy and mean IoU over the epochs, as a Plotly figure."""
    from mnist_localization.reporting.learning_curves import learning_curves

    return learning_curves(training_history)


def summarize_localizer(localizer: Any) -> pd.DataFrame:
    """The layers of the trained model: name, type, output shape, parameters, inputs."""
    from mnist_localization.models.saving import layer_table

    return layer_table(localizer)


def draw_architecture(settings: TrainSettings, model_summary: pd.DataFrame) -> Any:
    """The layers of the trained model as a graph, as a Matplotlib figure."""
    from mnist_localization.reporting.model_graph import architecture_diagram

    return architecture_diagram(model_summary, f"Architecture {settings.architecture}")


def _provenance(
    settings: TrainSettings,
    dataset: DatasetSettings,
    seed: int,
    train: ImageStore,
    validation: ImageStore,
) -> Provenance:
    spread = np.linspace(0, len(train) - 1, min(_LOOKED_AT, len(train))).astype(np.int64)
    return Provenance(
        architecture=settings.architecture,
        settings=_said_of(settings),
        seed=seed,
        source=train.meta.source,
        train_images=len(train),
        train_fingerprint=train.meta.fingerprint,
        validation_images=len(validation),
        validation_fingerprint=validation.meta.fingerprint,
        validated_on=validation.meta.drawn_from,
        class_names=tuple(dataset.class_names),
        images=describe_images(
            train.read(spread), background=dataset.image.background, padded=train.resized
        ),
    )


def _said_of(settings: TrainSettings) -> dict[str, Any]:
    """The settings that the model remembers: those that it was trained with, and no others."""
    said = settings.model_dump(mode="json", exclude={"architecture", "architectures", "resume"})
    return said | {"of_architecture": settings.architectures[settings.architecture]}


def _epoch_logger(
    tracker: Tracker,
    validation: ImageStore,
    dataset: DatasetSettings,
    settings: EpochSampleSettings,
    seed: int,
) -> Any:
    """What is logged at the end of each epoch: metrics, and a fixed sample with its boxes."""
    from mnist_localization.reporting.gallery import EpochSample

    sample = EpochSample(validation, settings, seed)

    def log(epoch: int, logs: Mapping[str, float], model: Any) -> None:
        due = settings.images > 0 and (epoch - 1) % settings.every == 0
        records = sample.predict(model.predict_on_batch) if due else []
        tracker.log_epoch(epoch, logs, records, class_names=dataset.class_names)

    return log
