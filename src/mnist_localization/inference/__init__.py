"""Localization of objects on images of any size with a saved model."""

from mnist_localization.inference.localizer import Box, Detection, Localizer, describe_images

__all__ = ["Box", "Detection", "Localizer", "describe_images"]
