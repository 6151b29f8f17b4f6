"""Experiment tracking with Weights & Biases. No other package imports wandb."""

from mnist_localization.tracking.publication import Publication
from mnist_localization.tracking.run_context import RunContext
from mnist_localization.tracking.run_index import Receipt
from mnist_localization.tracking.tracker import Tracker

__all__ = ["Publication", "Receipt", "RunContext", "Tracker"]
