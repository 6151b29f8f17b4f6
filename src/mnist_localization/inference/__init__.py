"""Localizing objects on images of any size, with a saved model."""

from mnist_localization.inference.appearance import Appearance, appearance
from mnist_localization.inference.localizer import Box, Detection, Localizer

__all__ = ["Appearance", "Box", "Detection", "Localizer", "appearance"]
