"""Localizing objects on images of any size, with a saved model."""
