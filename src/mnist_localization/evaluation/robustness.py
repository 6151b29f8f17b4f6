"""Scores of model and closed form on perturbed images."""

import pandas as pd

from mnist_localization.data.boxes import RAW_BOX_COLUMNS
from mnist_localization.data.images.store import ImageStore
from mnist_localization.data.perturbations import (
    PerturbedImages,
    cut_fragments,
    standard_perturbations,
)
from mnist_localization.evaluation.baselines import center_of_mass, closed_form_obstacle
from mnist_localization.evaluation.predictions import Predictor, predict_store, prediction_table

ROBUSTNESS_COLUMNS = (
    "perturbation",
    "label_accuracy",
    "mean_iou",
    "center_of_mass_label_accuracy",
    "center_of_mass_mean_iou",
)


def robustness_table(
    predictor: Predictor,
    training: ImageStore,
    split: ImageStore,
    *,
    whole_pixel_boxes: bool,
    batch_size: int,
    seed: int,
) -> pd.DataFrame:
    """Score label accuracy and mean IoU under each perturbation.

    Boxes of scaled objects do not lie on whole pixels, so there neither the boxes of the model
    nor those of the closed form are snapped.

    Args:
        predictor: The model, as for `predict_store`.
        training: Training split: the source of the clutter and of the closed form.
        split: The split to perturb.
        whole_pixel_boxes: Whether the annotated boxes lie on whole pixels.
        batch_size: Images predicted at once.
        seed: Seed of the perturbations.

    Returns:
        One row per perturbation, columns `ROBUSTNESS_COLUMNS`; NaN for the closed form if it
        does not apply.
    """
    whole_pixel_boxes = whole_pixel_boxes and not (training.resized or split.resized)
    has_closed_form = closed_form_obstacle(training) is None
    rows = []
    for perturbation in standard_perturbations(cut_fragments(training, seed)):
        images = PerturbedImages(split, perturbation, seed)
        snaps = perturbation.scale is None
        predictions = predict_store(predictor, images, batch_size, perturbation.name)
        row = [perturbation.name, *_scores(predictions if snaps else _unsnapped(predictions))]
        if has_closed_form:
            row += _scores(center_of_mass(training, images, whole_pixel_boxes and snaps))
        else:
            row += [None, None]
        rows.append(row)
    return pd.DataFrame(rows, columns=list(ROBUSTNESS_COLUMNS)).astype(
        dict.fromkeys(ROBUSTNESS_COLUMNS[1:], float)
    )


def _scores(predictions: pd.DataFrame) -> list[float]:
    correct = predictions["label"] == predictions["predicted_label"]
    return [float(correct.mean()), float(predictions["iou"].mean())]


def _unsnapped(predictions: pd.DataFrame) -> pd.DataFrame:
    raw = predictions[list(RAW_BOX_COLUMNS)].to_numpy()
    return prediction_table(
        predictions, predictions["predicted_label"], predictions["confidence"], raw, raw
    )
