"""Localizing objects on images of any size, with a saved model."""

from mnist_localization.prediction.appearance import Appearance, appearance
from mnist_localization.prediction.localizer import Box, Detection, Localizer

__all__ = ["Appearance", "Box", "Detection", "Localizer", "appearance"]
