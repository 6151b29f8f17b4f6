"""Stage `predict`: localize objects on a user's image files."""

from pathlib import Path

from kedro.pipeline import Node, Pipeline

from mnist_localization.config.data import SplitSettings
from mnist_localization.config.results import PredictSettings
from mnist_localization.inference.image_files import (
    find_images,
    predict_images,
    write_predictions,
)
from mnist_localization.models.runs import Runs


def create_pipeline() -> Pipeline:
    """Find a user's image files, predict them, and write the results to `predict.output`."""
    return Pipeline(
        [
            Node(
                func=predict_image_files,
                inputs=["params:predict", "params:split", "project_folder", "runs"],
                outputs=None,
                name="predict_image_files",
            ),
        ],
        tags="predict",
    )


def predict_image_files(
    settings: PredictSettings, split: SplitSettings, project_folder: Path, runs: Runs
) -> None:
    """Predict image files of the user, and write the results.

    One node, because the results are in a folder of the user and not in the catalog, so that
    several runs may predict at the same time.
    """
    files = find_images(settings, project_folder)
    localizer = runs.load(settings.model)
    predictions, failures = predict_images(settings, split, localizer, files)
    write_predictions(settings, split, project_folder, localizer, predictions, failures)
