"""Learning rate over the steps of a training."""

import keras

from mnist_localization.config.train import PhaseSettings, ResolvedTrainSettings

# Images of a warm-up at most; after those of one epoch of the published dataset, more do not help.
_WARMUP_IMAGES = 60_000
# Start of the warm-up, and end of the decay, relative to the peak.
_START = 0.04
_END = 0.001


def learning_rate(
    settings: ResolvedTrainSettings, phase: PhaseSettings, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate of a phase: a constant, or a warm-up and a cosine decay.

    The warm-up takes a tenth of the steps, but at most 60,000 images.

    Args:
        settings: Section `train`.
        phase: Phase to train.
        steps_per_epoch: Number of batches of an epoch.
    """
    peak = phase.learning_rate or settings.learning_rate
    if settings.schedule == "constant":
        return peak
    total = steps_per_epoch * phase.epochs
    warmup = min(total // 10, -(-_WARMUP_IMAGES // settings.batch_size))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak * _START,
        decay_steps=max(1, total - warmup),
        alpha=_END,
        warmup_target=peak,
        warmup_steps=warmup,
    )
