"""The trained model as a dataset."""

from typing import Any

from mnist_localization import backend  # noqa: F401  # isort: skip
from kedro_datasets.tensorflow import TensorFlowModelDataset

from mnist_localization.datasets.atomic import AtomicSave
from mnist_localization.models.saving import loadable


class LocalizerDataset(AtomicSave, TensorFlowModelDataset):  # type: ignore[misc]
    """A `.keras` file, saved atomically and loaded in Keras' safe mode."""

    def load(self) -> Any:
        """The Keras model; one that needs code to run is refused with the reason."""
        with loadable(str(self._filepath)):
            # The undecorated method: Kedro's logging already wraps this one.
            return super().load.__wrapped__(self)
