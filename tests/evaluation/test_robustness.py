from typing import Any

import numpy as np
import pytest

from mnist_localization.evaluation.baselines import centered_boxes, snapped
from mnist_localization.evaluation.robustness import ROBUSTNESS_COLUMNS, robustness_table
from support.scoring_tables import StoreMaker


def closed_form_model(images: np.ndarray) -> dict[str, Any]:
    """Return the closed form as a model: its row has to be the baseline's."""
    raw = centered_boxes(images, [10, 12])
    label = np.zeros((len(images), 4))
    label[:, 0] = 1.0
    return {"label": label, "bbox": snapped(raw, images.shape[1:]), "bbox_raw": raw}


def test_model_and_closed_form_are_perturbed_and_snapped_alike(make_pasted: StoreMaker) -> None:
    training, split = make_pasted("train"), make_pasted("test", count=24, seed=1)
    table = robustness_table(
        closed_form_model, training, split, whole_pixel_boxes=True, batch_size=10, seed=1
    )
    assert tuple(table.columns) == ROBUSTNESS_COLUMNS
    np.testing.assert_allclose(table["mean_iou"], table["center_of_mass_mean_iou"])
    iou = table.set_index("perturbation")["mean_iou"]
    assert iou["clean"] == 1.0
    # Unsnapped, half a pixel is lost on each axis.
    assert iou["scale 1.0"] == pytest.approx(9.5 * 11.5 / (240 - 9.5 * 11.5), abs=0.02)
    assert iou["noise 0.2"] < 0.8
    assert iou["clutter"] < 0.8
    assert (table["label_accuracy"] == 0.25).all()
