"""Fitting a network: repeatable, resumable, judged on the validation split."""

from mnist_localization.training.checkpoint import Checkpoint
from mnist_localization.training.hardware import hardware
from mnist_localization.training.loop import (
    TrainingResult,
    fit_network,
    make_repeatable,
    training_key,
)

__all__ = [
    "Checkpoint",
    "TrainingResult",
    "fit_network",
    "hardware",
    "make_repeatable",
    "training_key",
]
