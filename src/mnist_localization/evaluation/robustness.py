"""Scores of model and closed form on perturbed images."""

from collections.abc import Sequence

import pandas as pd

from mnist_localization.data.boxes import (
    BOX_COLUMNS,
    PREDICTED_BOX_COLUMNS,
    RAW_BOX_COLUMNS,
    paired_iou,
)
from mnist_localization.data.images.store import ImageStore
from mnist_localization.data.perturbations import (
    PerturbedImages,
    cut_fragments,
    standard_perturbations,
)
from mnist_localization.evaluation.baselines import center_of_mass, closed_form_obstacle
from mnist_localization.evaluation.predictions import Predictor, predict_store

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
        boxes = RAW_BOX_COLUMNS if perturbation.scale else PREDICTED_BOX_COLUMNS
        predictions = predict_store(predictor, images, batch_size, perturbation.name)
        row = {"perturbation": perturbation.name, **_scores(predictions, boxes)}
        if has_closed_form:
            closed_form = center_of_mass(training, images, whole_pixel_boxes)
            row |= _scores(closed_form, boxes, "center_of_mass_")
        rows.append(row)
    return pd.DataFrame(rows, columns=list(ROBUSTNESS_COLUMNS))


def _scores(predictions: pd.DataFrame, boxes: Sequence[str], prefix: str = "") -> dict[str, float]:
    correct = predictions["label"] == predictions["predicted_label"]
    iou = paired_iou(predictions[list(BOX_COLUMNS)], predictions[list(boxes)])
    return {f"{prefix}label_accuracy": correct.mean(), f"{prefix}mean_iou": iou.mean()}
