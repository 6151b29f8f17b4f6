"""Tracking on Weights & Biases: the only room that knows its client, loaded when it is used."""

from mnist_localization.tracking.current import current_tracker
from mnist_localization.tracking.hooks import TrackingHooks
from mnist_localization.tracking.publication import Publication
from mnist_localization.tracking.tracker import Tracker

__all__ = ["Publication", "Tracker", "TrackingHooks", "current_tracker"]
