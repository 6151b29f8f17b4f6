"""Nodes of the stage `train`. TensorFlow and plotting libraries are imported when a node runs."""

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mnist_localization.config.data import DatasetSettings
from mnist_localization.config.results import EpochSampleSettings, WandbSettings
from mnist_localization.config.train import ResolvedTrainSettings, TrainSettings
from mnist_localization.data.annotations.class_names import ClassNames
from mnist_localization.data.dataset_card import DatasetCard
from mnist_localization.data.images.store import ImageStore, SplitDataset
from mnist_localization.evaluation.staleness import handle_stale, stale_names
from mnist_localization.folder import Folder
from mnist_localization.inference import describe_images
from mnist_localization.models.provenance import Provenance, model_fingerprint
from mnist_localization.models.runs import NewRun, RunFacts, Runs, now
from mnist_localization.tracking import Tracker

if TYPE_CHECKING:
    from mnist_localization.models.architecture import ModelSpec

logger = logging.getLogger(__name__)

# Number of training images whose brightness is measured.
_MEASURED = 512
# Key of `training_history.attrs`, which Parquet stores: name of the checkpoint of the training.
_CHECKPOINT = "checkpoint"


def train_localizer(
    settings: TrainSettings,
    dataset: DatasetSettings,
    wandb: WandbSettings,
    seed: int,
    class_names: ClassNames,
    dataset_card: DatasetCard,
    train_split: SplitDataset,
    validation_split: SplitDataset,
    training_checkpoints: Folder,
    earlier_runs: Runs,
    tracker: Tracker,
) -> tuple[Any, pd.DataFrame]:
    """Build the configured architecture and fit it.

    Returns:
        The localizer (a Keras model) with the weights of the best epoch, and the history.
    """
    from mnist_localization.models.architecture import build_network, resolve_settings
    from mnist_localization.training.initial_weights import load_initial_weights
    from mnist_localization.training.loop import (
        fit_network,
        hardware,
        make_repeatable,
        training_key,
    )

    dataset = dataset.with_class_names(class_names.root)
    train, validation = train_split.store, validation_split.store
    handle_stale(stale_names(class_names.root, None, train.meta, validation.meta), "error")
    if validation.meta.drawn_from == "test":
        logger.warning("This training validates on the test split.")
    resolved = resolve_settings(settings, len(train))
    initial = earlier_runs.load(settings.initial_weights) if settings.initial_weights else None
    provenance = _provenance(resolved, dataset, seed, train, validation, initial)
    key = training_key(provenance)
    checkpoint = training_checkpoints / key
    checkpoint.pull()
    tracker.start_training(dataset_card, provenance, key)
    make_repeatable(seed, deterministic=resolved.deterministic)
    spec = _spec(dataset, train, provenance)
    with hardware(resolved):
        network = build_network(resolved.architecture, resolved.of_architecture, spec)
        if initial is not None:
            shown = str(provenance.initial_weights)
            load_initial_weights(network.trainable, initial, dataset.class_names, shown)
        result = fit_network(
            network,
            spec,
            train,
            validation,
            resolved,
            seed=seed,
            checkpoint_folder=checkpoint.path,
            on_epoch_end=_epoch_end(
                checkpoint, tracker, validation, dataset, wandb.epoch_sample, seed
            ),
        )
    tracker.end_training()
    result.history.attrs[_CHECKPOINT] = key
    return result.localizer, result.history


def keep_run(localizer: Any, training_history: pd.DataFrame, tracker: Tracker) -> NewRun:
    """Name the training, and keep it with what is needed to repeat it."""
    from mnist_localization.models.saving import provenance, run_of

    facts = RunFacts(
        run=run_of(localizer),
        trained_at=now(),
        epochs=len(training_history),
        model_fingerprint=model_fingerprint(localizer),
        training=provenance(localizer),
        **tracker.run_facts(),
    )
    logger.info("Trained run %s (kedro runs show %s).", facts.run, facts.run)
    return NewRun(facts, localizer, training_history)


def forget_checkpoint(
    training_history: pd.DataFrame, training_checkpoints: Folder, _runs: Runs
) -> None:
    """Remove the checkpoint of a training whose results are saved.

    A training that is killed between its last epoch and this node resumes from the checkpoint.
    """
    if key := training_history.attrs.get(_CHECKPOINT):
        (training_checkpoints / key).remove()


def plot_learning_curves(training_history: pd.DataFrame) -> Any:
    """Plot the metrics over the epochs as a Plotly figure."""
    from mnist_localization.reporting.learning_curves import learning_curves

    return learning_curves(training_history)


def summarize_localizer(localizer: Any) -> pd.DataFrame:
    """List the layers of the trained model: name, type, output shape, parameters, inputs."""
    from mnist_localization.models.saving import layer_table

    return layer_table(localizer)


def draw_architecture(settings: TrainSettings, model_summary: pd.DataFrame) -> Any:
    """Draw the layers of the trained model as a graph, a Matplotlib figure."""
    from mnist_localization.reporting.model_graph import architecture_diagram

    return architecture_diagram(model_summary, f"Architecture {settings.architecture}")


def _provenance(
    settings: ResolvedTrainSettings,
    dataset: DatasetSettings,
    seed: int,
    train: ImageStore,
    validation: ImageStore,
    initial: Any,
) -> Provenance:
    from mnist_localization.models.saving import run_of

    start = None if initial is None else f"{run_of(initial)} {model_fingerprint(initial):.12}"
    measured = np.linspace(0, len(train) - 1, min(_MEASURED, len(train))).astype(np.int64)
    return Provenance(
        architecture=settings.architecture,
        settings=settings.to_json(),
        seed=seed,
        source=train.meta.source,
        train_images=len(train),
        train_fingerprint=train.meta.fingerprint,
        validation_images=len(validation),
        validation_fingerprint=validation.meta.fingerprint,
        validated_on=validation.meta.drawn_from,
        initial_weights=start,
        class_names=tuple(dataset.class_names),
        images=describe_images(
            train.read(measured),
            background=dataset.image.background,
            padded=train.resized,
            sample_bits=dataset.image.sample_bits,
        ),
    )


def _spec(dataset: DatasetSettings, train: ImageStore, provenance: Provenance) -> "ModelSpec":
    from mnist_localization.models.architecture import ModelSpec, compute_box_statistics

    return ModelSpec(
        *dataset.image.shape,
        classes=len(dataset.class_names),
        # Resizing moves corners away from whole pixels.
        whole_pixel_boxes=dataset.whole_pixel_boxes and not train.resized,
        provenance=provenance,
        box_statistics=compute_box_statistics(train),
    )


def _epoch_end(
    checkpoint: Folder,
    tracker: Tracker,
    validation: ImageStore,
    dataset: DatasetSettings,
    settings: EpochSampleSettings,
    seed: int,
) -> Callable[[int, Mapping[str, float], Any], None]:
    """Return a function that keeps the checkpoint of an epoch, and logs metrics and a sample."""
    from mnist_localization.reporting.gallery import EpochSample

    sample = EpochSample(validation, settings, seed)

    def end_epoch(epoch: int, logs: Mapping[str, float], localizer: Any) -> None:
        checkpoint.push()
        is_due = settings.images > 0 and (epoch - 1) % settings.every == 0
        records = sample.predict(localizer.predict_on_batch) if is_due else []
        tracker.log_epoch(epoch, logs, records, class_names=dataset.class_names)

    return end_epoch
