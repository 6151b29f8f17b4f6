"""Fitting a network to a split."""

import fnmatch
import hashlib
import json
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import tensorflow as tf

from mnist_localization.config import PhaseSettings, TrainSettings
from mnist_localization.data.images import ImageStore
from mnist_localization.data.images.pipeline import batches, endless_batches, steps_per_epoch
from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import ModelSpec, Network
from mnist_localization.models.losses import bbox_loss
from mnist_localization.models.metrics import MeanBoxIoU
from mnist_localization.models.provenance import Provenance
from mnist_localization.training.augmentation import make_augmentation
from mnist_localization.training.callbacks import (
    EpochEnd,
    EpochEndCallback,
    EpochRecorder,
    patience_is_over,
)
from mnist_localization.training.checkpoint import Checkpoint, TrainingState
from mnist_localization.training.progress import EpochLines

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """What a training gives.

    Attributes:
        localizer: Model with the weights of the best epoch.
        history: One row an epoch: `epoch` from 1, Keras' logs, `learning_rate`, `seconds`.
        best_epoch: Number of the epoch whose weights the model has.
    """

    localizer: keras.Model
    history: pd.DataFrame
    best_epoch: int


def make_repeatable(seed: int, *, deterministic: bool) -> None:
    """Seed Python, NumPy and TensorFlow, before a network is built.

    Args:
        seed: The seed.
        deterministic: Whether TensorFlow is held to operations that repeat to the bit.
    """
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def training_key(settings: TrainSettings, seed: int, provenance: Provenance) -> str:
    """Digest of all that makes two trainings the same: parameters, seed, data, versions."""
    said = [
        settings.model_dump(exclude={"resume"}),
        seed,
        provenance.to_json(),
        keras.__version__,
        tf.__version__,
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def fit_network(
    network: Network,
    spec: ModelSpec,
    train: ImageStore,
    validation: ImageStore,
    settings: TrainSettings,
    *,
    seed: int,
    checkpoint_folder: Path,
    on_epoch_end: EpochEnd | None = None,
) -> TrainingResult:
    """Fit a network; its localizer gets the weights of the best epoch.

    A training that was killed goes on from its last finished epoch, also when that was the
    last one: the checkpoint stays until the caller has the result safe and removes it.

    Args:
        network: Network with fresh weights.
        spec: What it was built for.
        train: Split to fit.
        validation: Split to judge each epoch on.
        settings: The section `train`.
        seed: Seed of the order of the images.
        checkpoint_folder: Folder of this training alone.
        on_epoch_end: Called with the epoch (from 1), its logs and the model.

    Returns:
        The trained localizer and its history.
    """
    _check_monitor(network, settings.early_stopping.monitor)
    checkpoint = Checkpoint(checkpoint_folder)
    if not settings.resume:
        checkpoint.remove()
    state = checkpoint.read() or TrainingState()
    # The recorder comes first: what it records must be there whatever the others do.
    callbacks = [EpochRecorder(state, checkpoint, settings.early_stopping)]
    if on_epoch_end is not None:
        callbacks.append(EpochEndCallback(on_epoch_end))
    callbacks.append(EpochLines(settings.planned_epochs))
    fit = _Fit(network, spec, train, validation, settings, seed, callbacks)
    if state.epochs:
        logger.info("Going on from epoch %d of %d.", state.epochs, settings.planned_epochs)
        fit.prepare(settings.planned_phases[state.phase])
        checkpoint.restore_last(network.trainable, state)
        fit.run(settings.planned_phases[state.phase], state)
    for phase in settings.planned_phases[state.phase + bool(state.epochs) :]:
        if state.epochs:
            checkpoint.restore_best(network.trainable)
            state.phase, state.phase_start = state.phase + 1, state.epochs
        fit.prepare(phase)
        fit.run(phase, state)
    _freeze(network.trainable, ())
    checkpoint.restore_best(network.trainable)
    return TrainingResult(network.localizer, pd.DataFrame(state.rows), state.best_epoch)


def _check_monitor(network: Network, monitor: str) -> None:
    """Refuse the name of a metric that no epoch will log, before the first one is spent."""
    names = ["loss", *(f"{head}_loss" for head in network.trainable.output)]
    names += ["label_accuracy", f"bbox_{MeanBoxIoU().name}"]
    logged = sorted([*names, *(f"val_{name}" for name in names), "epoch", "learning_rate"])
    if monitor not in logged:
        raise ModelError(
            f"train.early_stopping.monitor is {monitor!r}, but the logged metrics are "
            f"{', '.join(logged)}"
        )


@dataclass(frozen=True)
class _Fit:
    """What the phases of a training share."""

    network: Network
    spec: ModelSpec
    train: ImageStore
    validation: ImageStore
    settings: TrainSettings
    seed: int
    callbacks: Sequence[keras.callbacks.Callback]

    @property
    def _steps(self) -> tuple[int, int]:
        return steps_per_epoch(len(self.train), self.settings.batch_size)

    def prepare(self, phase: PhaseSettings) -> None:
        """Freeze the layers of a phase and compile anew."""
        _freeze(self.network.trainable, phase.freeze)
        compile_network(self.network, self.spec, self.settings, phase, *self._steps)

    def run(self, phase: PhaseSettings, state: TrainingState) -> None:
        """Train the rest of a phase."""
        if patience_is_over(state, self.settings.early_stopping):
            return
        taught = partial(with_auxiliary_targets, names=self.network.auxiliary_boxes)
        steps, _ = self._steps
        images = endless_batches(
            self.train,
            steps,
            seed=self.seed,
            first_epoch=state.epochs,
            augmentation=make_augmentation(self.train, self.settings.augmentation, self.seed),
        )
        self.network.trainable.fit(
            taught(images),
            validation_data=taught(batches(self.validation, self.settings.batch_size)),
            steps_per_epoch=steps,
            initial_epoch=state.epochs,
            epochs=state.phase_start + phase.epochs,
            callbacks=list(self.callbacks),
            shuffle=False,  # the pipeline shuffles
            # Keras' bar redraws its line: for a terminal only.
            verbose=1 if sys.stderr.isatty() and sys.stdout.isatty() else 0,
        )


def _freeze(model: keras.Model, patterns: Sequence[str]) -> None:
    """Make exactly the layers untrainable whose name one of the patterns matches."""
    names = [layer.name for layer in model.layers]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ModelError(
                f"train.phases freezes {pattern!r}, but no layer is named so; the layers are "
                f"{', '.join(names)}"
            )
    model.trainable = True
    for layer in model.layers:
        layer.trainable = not any(fnmatch.fnmatch(layer.name, each) for each in patterns)


def compile_network(
    network: Network,
    spec: ModelSpec,
    settings: TrainSettings,
    phase: PhaseSettings,
    steps: int,
    together: int,
) -> None:
    """Set optimizer, losses and metrics of a network.

    Args:
        network: The network; its `trainable` view is compiled.
        spec: What it was built for.
        settings: The section `train`.
        phase: The phase that is to be trained.
        steps: Steps an epoch.
        together: Steps that TensorFlow goes through by itself, a divisor of their number.
    """
    boxes = {name: bbox_loss(settings.bbox_loss, spec) for name in network.auxiliary_boxes}
    network.trainable.compile(
        optimizer=_optimizer(settings, phase, steps),
        loss={
            "label": keras.losses.SparseCategoricalCrossentropy(),
            "bbox": bbox_loss(settings.bbox_loss, spec),
            **boxes,
        },
        loss_weights=settings.loss_weights.model_dump() | dict(network.auxiliary_boxes),
        metrics={
            "label": keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            "bbox": MeanBoxIoU(),
        },
        jit_compile=settings.xla,
        steps_per_execution=together,
    )


def with_auxiliary_targets(dataset: tf.data.Dataset, names: Iterable[str]) -> tf.data.Dataset:
    """Teach auxiliary boxes the same box.

    Args:
        dataset: Batches `(image, {"label", "bbox"})`.
        names: Names of the auxiliary boxes.
    """
    names = tuple(names)
    if not names:
        return dataset
    return dataset.map(
        lambda images, targets: (images, targets | dict.fromkeys(names, targets["bbox"]))
    )


def _optimizer(settings: TrainSettings, phase: PhaseSettings, steps: int) -> keras.Optimizer:
    """AdamW (Loshchilov and Hutter, 2019); Adam where no weights decay."""
    optimizer = keras.optimizers.Adam(
        _learning_rate(settings, phase, steps), weight_decay=settings.weight_decay or None
    )
    # Decay is for what is multiplied with features, not for what is added to or scales them.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "deviations"])
    return optimizer


def _learning_rate(
    settings: TrainSettings, phase: PhaseSettings, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    peak = phase.learning_rate or settings.learning_rate
    if settings.schedule == "constant":
        return peak
    total = steps * phase.epochs
    warmup = min(steps, total // 10)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / 25,
        decay_steps=max(1, total - warmup),
        alpha=0.001,
        warmup_target=peak,
        warmup_steps=warmup,
    )
