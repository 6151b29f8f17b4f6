"""Datasets with other images, classes or baselines than the default one."""

import numpy as np

from mnist_localization.data.annotated_image import AnnotatedImage, Box
from mnist_localization.tracking.publication import flat_scores, overlays
from mnist_localization.tracking.report import result_text
from support.scoring_tables import make_metrics


def test_a_baseline_that_does_not_apply_is_left_out():
    metrics = make_metrics(
        scores={"mean_iou": 0.9}, baselines={"mean_box": {"mean_iou": 0.2}, "closed": None}
    )
    assert flat_scores(metrics) == {
        "test/mean_iou": 0.9,
        "test/images": 10,
        "baseline/mean_box/mean_iou": 0.2,
    }
    assert "closed" not in result_text(metrics)


def test_images_of_several_sizes_are_shown_on_one_canvas_with_their_boxes():
    records = []
    for rows, columns in ((20, 40), (30, 10)):
        image = np.zeros((rows, columns, 3), np.uint8)
        image[5:10, 2:8] = 255
        box = Box((2 / columns, 5 / rows, 8 / columns, 10 / rows), 0)
        records.append(AnnotatedImage(f"{rows}.png", image, {"ground_truth": (box,)}))
    for shown in overlays(records, ["a"]):
        pixels = np.asarray(shown.image)
        assert pixels.shape == (30, 40, 3)
        (drawn,) = shown._boxes["ground_truth"]._val
        at = {name: drawn["position"][name] for name in ("minX", "minY", "maxX", "maxY")}
        left, right = round(at["minX"] * 40), round(at["maxX"] * 40)
        top, bottom = round(at["minY"] * 30), round(at["maxY"] * 30)
        assert (left, top, right, bottom) == (2, 5, 8, 10)
        assert (pixels[top:bottom, left:right] == 255).all()
