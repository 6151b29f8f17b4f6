"""Kedro dataset of the trained model."""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
from kedro_datasets.tensorflow import TensorFlowModelDataset

from mnist_localization.datasets.atomic import AtomicSave
from mnist_localization.models.saving import loadable


class LocalizerDataset(AtomicSave, TensorFlowModelDataset):  # type: ignore[misc]
    """Model in a `.keras` file, saved atomically and loaded in Keras' safe mode."""

    def load(self) -> Any:
        """Return the Keras model.

        Raises:
            ModelError: The file cannot be loaded; it contains code, for example.
        """
        with loadable(str(self._filepath)):
            # The undecorated method, because Kedro's logging already wraps this one.
            return super().load.__wrapped__(self)
