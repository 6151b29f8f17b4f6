"""Single-object localization with Kedro, Keras and Weights & Biases."""

__version__ = "0.1.0"
