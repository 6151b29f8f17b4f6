"""Nodes of the stage `predict`."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from mnist_localization.config import PredictSettings, SplitSettings
from mnist_localization.evaluation import model_fingerprint
from mnist_localization.inference.image_files import find_images, predict_files
from mnist_localization.inference.localizer import Localizer
from mnist_localization.inference.results import write_results

logger = logging.getLogger(__name__)

_LISTED = 10


def list_images(settings: PredictSettings, project_folder: Path) -> list[Path]:
    """The image files that `predict.images` means."""
    output = project_folder / Path(settings.output).expanduser()
    return find_images(settings.images, project_folder, output)


def predict_images(
    settings: PredictSettings, split: SplitSettings, localizer: Any, image_files: list[Path]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict the files in batches; those that are no images are set aside.

    Returns:
        Results with boxes in pixels of each image, and failures with their reasons.
    """
    from mnist_localization.models.saving import provenance

    model = Localizer(localizer, provenance(localizer), split.max_image_mb)
    results, failures = predict_files(model, image_files, settings.batch_size, settings.invert)
    for file, reason in failures.head(_LISTED).itertuples(index=False):
        logger.warning("Left out: %s: %s", file, reason)
    if len(failures) > _LISTED:
        logger.warning("... and %d more, in failures.csv.", len(failures) - _LISTED)
    unlike = int(results["unlike_training"].sum())
    if unlike:
        logger.warning(
            "%d of %d images look unlike the training images (much lighter or darker, or with a "
            "lighter border): their answers are not to be trusted. They are marked in the column "
            "unlike_training.%s",
            unlike,
            len(results),
            "" if settings.invert else " For dark objects on light: predict.invert=auto.",
        )
    return results, failures


def write_predictions(
    settings: PredictSettings,
    split: SplitSettings,
    project_folder: Path,
    localizer: Any,
    image_predictions: pd.DataFrame,
    image_failures: pd.DataFrame,
) -> None:
    """Write tables, JSON and overlays into the folder `predict.output`."""
    folder = project_folder / Path(settings.output).expanduser()
    write_results(
        image_predictions,
        image_failures,
        folder,
        model={"architecture": localizer.name, "fingerprint": model_fingerprint(localizer)},
        overlays=settings.overlays,
        max_image_mb=split.max_image_mb,
    )
    logger.info(
        "Predicted %d images, %d files left out: %s",
        len(image_predictions),
        len(image_failures),
        folder,
    )
