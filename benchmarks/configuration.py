"""Parameters and paths of the benchmark: those of the Kedro environment `bench`."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.config import OmegaConfigLoader

from mnist_localization.config.data import DatasetSettings
from mnist_localization.config.train import ResolvedTrainSettings, TrainSettings
from mnist_localization.settings import CONFIG_LOADER_ARGS

if TYPE_CHECKING:
    from mnist_localization.models.architecture import ModelSpec

ENVIRONMENT = "bench"


class Configuration:
    """Parameters and folders of the environment `bench`."""

    def __init__(self, project: Path) -> None:
        """Read the parameters.

        Args:
            project: Root folder of the repository.
        """
        self.project = project
        self.data = project / "data" / ENVIRONMENT
        self.scratch = self.data / "benchmark"
        arguments: dict[str, Any] = dict(CONFIG_LOADER_ARGS)
        loader = OmegaConfigLoader(conf_source=str(project / "conf"), env=ENVIRONMENT, **arguments)
        self._parameters: dict[str, Any] = loader["parameters"]

    def split(self, name: str) -> Path:
        """Return the folder of the image store of a split."""
        return self.data / "05_model_input" / f"{name}_split"

    @property
    def seed(self) -> int:
        """Return the seed."""
        return int(self._parameters["seed"])

    @cached_property
    def train(self) -> ResolvedTrainSettings:
        """Return the section `train` with the defaults of its architecture."""
        from mnist_localization.data.images.store import ImageStore
        from mnist_localization.models.architecture import resolve_settings

        settings = TrainSettings.model_validate(self._parameters["train"])
        return resolve_settings(settings, len(ImageStore(self.split("train"))))

    @cached_property
    def spec(self) -> "ModelSpec":
        """Return the specification of a model for the training split."""
        from mnist_localization.data.images.store import ImageStore
        from mnist_localization.models.architecture import ModelSpec, compute_box_statistics

        dataset = DatasetSettings.model_validate(self._parameters["dataset"])
        return ModelSpec(
            *dataset.image.shape,
            classes=len(dataset.class_names),
            whole_pixel_boxes=dataset.whole_pixel_boxes,
            box_statistics=compute_box_statistics(ImageStore(self.split("train"))),
        )
