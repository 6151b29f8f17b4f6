"""Fit a network to a training split."""

import fnmatch
import hashlib
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
import keras
import pandas as pd
import tensorflow as tf

from mnist_localization.config.train import PhaseSettings, ResolvedTrainSettings
from mnist_localization.data.images.pipeline import batches, endless_batches, steps_per_epoch
from mnist_localization.data.images.store import ImageStore
from mnist_localization.errors import ModelError
from mnist_localization.models.architecture import BBOX, LABEL, RANDOM_KEY, ModelSpec, Network
from mnist_localization.models.losses import box_loss
from mnist_localization.models.metrics import MeanBoxIoU
from mnist_localization.models.provenance import Provenance
from mnist_localization.training.augmentation import make_augmentation
from mnist_localization.training.callbacks import (
    EpochEnd,
    EpochEndCallback,
    EpochLogger,
    EpochRecorder,
    is_patience_over,
)
from mnist_localization.training.checkpoint import Checkpoint, TrainingState
from mnist_localization.training.class_weights import Weights, label_weights
from mnist_localization.training.schedule import learning_rate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training.

    Attributes:
        localizer: Model with the weights of the best epoch.
        history: One row for each epoch: `epoch` from 1, the logs of Keras, `learning_rate`,
            `seconds`.
        best_epoch: Number of the best epoch.
    """

    localizer: keras.Model
    history: pd.DataFrame
    best_epoch: int


def make_repeatable(seed: int, *, deterministic: bool) -> None:
    """Seed Python, NumPy and TensorFlow; call this before a network is built.

    Args:
        seed: The seed.
        deterministic: Whether TensorFlow uses only operations that give the same bits each time.
    """
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


@contextmanager
def hardware(
    settings: ResolvedTrainSettings, devices: Sequence[str] | None = None
) -> Iterator[None]:
    """Set precision and devices for the networks that are built and fitted inside.

    Args:
        settings: Section `train`, of which `precision` and `multi_gpu` are used.
        devices: Devices that share each batch if `multi_gpu` is set; `None` uses all GPUs.
    """
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings.precision)
    strategy = tf.distribute.MirroredStrategy(devices) if settings.multi_gpu else None
    try:
        with strategy.scope() if strategy is not None else nullcontext():
            yield
    finally:
        keras.config.set_dtype_policy(previous)


def training_key(provenance: Provenance) -> str:
    """Return a digest of everything that determines a training.

    Args:
        provenance: Architecture, settings, seed and data of the training.
    """
    content = [provenance.to_json(), keras.__version__, tf.__version__]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def fit_network(
    network: Network,
    spec: ModelSpec,
    train: ImageStore,
    validation: ImageStore,
    settings: ResolvedTrainSettings,
    *,
    seed: int,
    checkpoint_folder: Path,
    on_epoch_end: EpochEnd | None = None,
) -> TrainingResult:
    """Fit a network, and restore the weights of the best epoch.

    A killed training resumes after its last finished epoch, including the last one, because the
    checkpoint is kept until the caller removes it after saving the result.

    Args:
        network: Network with new weights.
        spec: Properties of the data that the network was built for.
        train: Training split.
        validation: Split on which each epoch is judged.
        settings: Section `train`.
        seed: Seed of the order and of the augmentation of the images.
        checkpoint_folder: Folder of this training alone.
        on_epoch_end: Function called at the end of each epoch.

    Returns:
        The trained localizer and its history.

    Raises:
        ModelError: `early_stopping.monitor` or a pattern of `phases.freeze` matches nothing.
    """
    _check_monitor(network, settings.early_stopping.monitor)
    logger.info(
        "Training %s (%s parameters) on %d images, validating on %d: at most %d epochs, batch size "
        "%d, learning rate %g.",
        settings.architecture,
        f"{network.localizer.count_params():,}",
        len(train),
        len(validation),
        settings.planned_epochs,
        settings.batch_size,
        settings.learning_rate,
    )
    checkpoint = Checkpoint(checkpoint_folder)
    if not settings.resume:
        checkpoint.remove()
    state = checkpoint.read() or TrainingState()
    # The recorder is first, so that an epoch is recorded even if another callback fails.
    callbacks = [EpochRecorder(state, checkpoint, settings.early_stopping)]
    if on_epoch_end is not None:
        callbacks.append(EpochEndCallback(on_epoch_end, network.localizer))
    callbacks.append(EpochLogger(settings.planned_epochs))
    names = spec.provenance.class_names
    weights = label_weights(settings.class_weights, train.labels, names)
    fit = _Fit(network, spec, train, validation, settings, seed, callbacks, weights)
    if not state.epochs and not settings.initial_weights:
        logger.info("Weights are new; train.initial_weights=<run> starts from those of a run.")
    if state.epochs:
        logger.info("Resuming after epoch %d of %d.", state.epochs, settings.planned_epochs)
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
    """Raise an error before the first epoch if no epoch will log a metric."""
    names = ["loss", *(f"{head}_loss" for head in network.trainable.output)]
    names += ["label_accuracy", f"bbox_{MeanBoxIoU().name}"]
    logged = sorted([*names, *(f"val_{name}" for name in names), "epoch", "learning_rate"])
    if monitor not in logged:
        raise ModelError(
            f"train.early_stopping.monitor is {monitor!r}; choose one of {', '.join(logged)}"
        )


@dataclass(frozen=True)
class _Fit:
    """Objects that the phases of a training share."""

    network: Network
    spec: ModelSpec
    train: ImageStore
    validation: ImageStore
    settings: ResolvedTrainSettings
    seed: int
    callbacks: Sequence[keras.callbacks.Callback]
    label_weights: Weights | None

    def prepare(self, phase: PhaseSettings) -> None:
        """Freeze the layers of a phase and compile the model for it."""
        _freeze(self.network.trainable, phase.freeze)
        compile_network(self.network, self.spec, self.settings, phase, len(self.train))

    def run(self, phase: PhaseSettings, state: TrainingState) -> None:
        """Train the remaining epochs of a phase."""
        if is_patience_over(state, self.settings.early_stopping):
            return
        validation = batches(self.validation, self.settings.batch_size)
        self.network.trainable.fit(
            training_batches(
                self.network,
                self.train,
                self.settings,
                self.seed,
                first_epoch=state.epochs,
                weights=self.label_weights,
            ),
            validation_data=_for_network(validation, self.network),
            steps_per_epoch=steps_per_epoch(len(self.train), self.settings.batch_size)[0],
            initial_epoch=state.epochs,
            epochs=state.phase_start + phase.epochs,
            callbacks=list(self.callbacks),
            shuffle=False,  # the pipeline shuffles
            # The progress bar of Keras redraws its line, which only a terminal shows.
            verbose=1 if sys.stderr.isatty() and sys.stdout.isatty() else 0,
        )


def _freeze(model: keras.Model, patterns: Sequence[str]) -> None:
    """Freeze the layers whose names match a pattern, and make all others trainable."""
    names = [layer.name for layer in model.layers]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ModelError(
                f"train.phases: the pattern {pattern!r} in `freeze` matches none of the layers "
                f"{', '.join(names)}"
            )
    model.trainable = True
    for layer in model.layers:
        layer.trainable = not any(fnmatch.fnmatch(layer.name, each) for each in patterns)


def compile_network(
    network: Network,
    spec: ModelSpec,
    settings: ResolvedTrainSettings,
    phase: PhaseSettings,
    train_images: int,
) -> None:
    """Set optimizer, losses and metrics of the trainable model.

    Args:
        network: The network.
        spec: Properties of the data.
        settings: Section `train`.
        phase: Phase to train.
        train_images: Number of training images.
    """
    extra = network.extra_outputs
    box_outputs = (BBOX, *network.auxiliary_boxes)
    steps, steps_per_execution = steps_per_epoch(train_images, settings.batch_size)
    network.trainable.compile(
        optimizer=_optimizer(network, settings, phase, steps),
        loss={
            LABEL: keras.losses.SparseCategoricalCrossentropy(),
            **{name: box_loss(settings.bbox_loss, spec) for name in box_outputs},
            **{name: output.loss for name, output in extra.items()},
        },
        loss_weights={
            **settings.loss_weights.model_dump(),
            **network.auxiliary_boxes,
            **{name: output.loss_weight for name, output in extra.items()},
        },
        metrics={
            LABEL: keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            BBOX: MeanBoxIoU(),
        },
        jit_compile=settings.xla,
        steps_per_execution=steps_per_execution,
    )


def training_batches(
    network: Network,
    train: ImageStore,
    settings: ResolvedTrainSettings,
    seed: int,
    first_epoch: int = 0,
    weights: Weights | None = None,
) -> tf.data.Dataset:
    """Create the endless stream of batches that a network is fitted to.

    Args:
        network: Network, which determines inputs and targets.
        train: Training split.
        settings: Section `train`.
        seed: Seed of order and augmentation.
        first_epoch: Index of the first epoch, from 0.
        weights: Weight of each class in the loss of the label, or `None`.

    Returns:
        Batches of inputs and targets for `network.trainable`, and of sample weights if classes
        have weights.
    """
    steps, _ = steps_per_epoch(len(train), settings.batch_size)
    dataset = endless_batches(
        train,
        steps,
        seed=seed,
        first_epoch=first_epoch,
        augmentation=make_augmentation(train, settings.augmentation, seed),
        with_random_keys=network.takes_random_key,
    )
    return _weighted(_for_network(dataset, network), weights)


def _weighted(dataset: tf.data.Dataset, weights: Weights | None) -> tf.data.Dataset:
    """Add sample weights to batches of inputs and targets: that of the class for the label."""
    if weights is None:
        return dataset

    def add(images: Any, targets: dict[str, Any]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        same = tf.ones_like(targets[LABEL], tf.float32)
        of_class = tf.gather(weights, targets[LABEL])
        return images, targets, dict.fromkeys(targets, same) | {LABEL: of_class}

    return dataset.map(add)


def _for_network(dataset: tf.data.Dataset, network: Network) -> tf.data.Dataset:
    """Add the inputs and targets of a network to batches `(image, {"label", "bbox"})`."""

    def adapt(images: Any, targets: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        extra = {name: output.target(targets) for name, output in network.extra_outputs.items()}
        auxiliary = dict.fromkeys(network.auxiliary_boxes, targets[BBOX])
        if network.takes_random_key and not isinstance(images, dict):
            # Validation uses no random numbers.
            images = {"image": images, RANDOM_KEY: tf.zeros((tf.shape(images)[0], 2), tf.uint32)}
        return images, {**targets, **auxiliary, **extra}

    return dataset.map(adapt)


def _optimizer(
    network: Network, settings: ResolvedTrainSettings, phase: PhaseSettings, steps: int
) -> keras.Optimizer:
    """Create AdamW (Loshchilov and Hutter, 2019), or Adam if there is no weight decay."""
    optimizer = keras.optimizers.Adam(
        learning_rate(settings, phase, steps), weight_decay=settings.weight_decay or None
    )
    optimizer.exclude_from_weight_decay(var_names=list(network.undecayed_weights))
    return optimizer
