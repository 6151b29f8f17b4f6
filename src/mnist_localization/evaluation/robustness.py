"""How model and closed form fare when the images are perturbed."""

import pandas as pd

from mnist_localization.data.boxes import RAW_BOX_COLUMNS
from mnist_localization.data.images import ImageStore
from mnist_localization.data.perturbations import (
    PerturbedImages,
    ink_fragments,
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
    """Label accuracy and mean IoU under each perturbation.

    Where the object is scaled, boxes do not lie on whole pixels: neither model nor closed
    form is snapped there.

    Args:
        predictor: The model, as for `predict_store`.
        training: Gives the clutter, and what the closed form learns.
        split: The split that is perturbed.
        whole_pixel_boxes: Whether the annotated boxes lie on whole pixels.
        batch_size: Images predicted at once.
        seed: Seed of the perturbations.

    Returns:
        One row a perturbation, columns `ROBUSTNESS_COLUMNS`; no value for the closed form
        where it does not apply.
    """
    whole_pixel_boxes = whole_pixel_boxes and not (training.resized or split.resized)
    has_closed_form = closed_form_obstacle(training) is None
    rows = []
    for perturbation in standard_perturbations(ink_fragments(training, seed)):
        images = PerturbedImages(split, perturbation, seed)
        predictions = predict_store(predictor, images, batch_size, perturbation.name)
        snaps = perturbation.scale is None
        row = [perturbation.name, *_scores(predictions if snaps else _unsnapped(predictions))]
        if has_closed_form:
            answers = center_of_mass(training, images, whole_pixel_boxes and snaps)
            row += _scores(answers)
        else:
            row += [None, None]
        rows.append(row)
    return pd.DataFrame(rows, columns=list(ROBUSTNESS_COLUMNS)).astype(
        dict.fromkeys(ROBUSTNESS_COLUMNS[1:], float)
    )


def _scores(predictions: pd.DataFrame) -> list[float]:
    right = predictions["label"] == predictions["predicted_label"]
    return [float(right.mean()), float(predictions["iou"].mean())]


def _unsnapped(predictions: pd.DataFrame) -> pd.DataFrame:
    raw = predictions[list(RAW_BOX_COLUMNS)].to_numpy()
    return prediction_table(
        predictions, predictions["predicted_label"], predictions["confidence"], raw, raw
    )
