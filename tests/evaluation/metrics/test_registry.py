import shutil
import subprocess
import sys
from pathlib import Path

import mnist_localization
from mnist_localization.evaluation.metrics import all_metrics

NEW_METRIC = """
import numpy as np

from mnist_localization.evaluation.metrics import Metric

METRICS = (
    Metric(
        key="lowest_iou",
        title="Lowest IoU",
        description="IoU of the worst image.",
        values=lambda outcomes: outcomes.iou,
        statistic=np.min,
        unit="ratio",
        interval=None,
    ),
)
"""
SCORE = """
from mnist_localization.config.data import ImageSettings
from mnist_localization.evaluation.metrics import Outcomes, all_metrics
from mnist_localization.evaluation.predictions import prediction_table
from mnist_localization.evaluation.scores import score
import numpy as np
import pandas as pd

boxes = np.array([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 1.0, 1.0]])
annotations = pd.DataFrame(boxes, columns=["xmin", "ymin", "xmax", "ymax"])
annotations = annotations.assign(file=["a", "b"], label=[0, 1])
predictions = prediction_table(annotations, [0, 1], [1.0, 1.0], boxes[[1, 1]], boxes[[1, 1]])
scores = score(Outcomes(predictions, ImageSettings.model_construct(height=10, width=10), 2))
print(all_metrics()[-1].title, scores["lowest_iou"])
"""


def test_placing_one_file_adds_a_metric(tmp_path: Path) -> None:
    package = tmp_path / "mnist_localization"
    source = Path(mnist_localization.__file__).parent
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "evaluation" / "metrics" / "lowest.py").write_text(NEW_METRIC, "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SCORE],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split("\n")[0] == "Lowest IoU 0.25", done.stderr


def test_headline_metrics_come_first_and_are_scores_in_0_to_1() -> None:
    metrics = all_metrics()
    headlines = [metric.key for metric in metrics if metric.headline]
    assert headlines == ["label_accuracy", "mean_iou", "loc_accuracy", "exact_box"]
    assert [metric.key for metric in metrics[:4]] == headlines
    assert all(metric.unit in ("share", "ratio") for metric in metrics if metric.headline)


def test_metrics_have_unique_keys_and_explain_themselves() -> None:
    metrics = all_metrics()
    assert len({metric.key for metric in metrics}) == len(metrics)
    for metric in metrics:
        assert metric.title
        assert metric.description.endswith(".")
        assert (metric.interval == "wilson") == (metric.unit == "share")


def test_values_are_formatted_by_unit() -> None:
    by_key = {metric.key: metric for metric in all_metrics()}
    assert by_key["label_accuracy"].text(0.985) == "98.50 %"
    assert by_key["mean_iou"].text(0.985) == "0.9850"
