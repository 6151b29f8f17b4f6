"""Real photographs, from the folders as they are to a report, with the commands of the docs."""

import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from support.project import KEDRO, Project, clean_environment

PHOTOS = Path(os.environ.get("MNIST_LOCALIZATION_PHOTOS", "/nonexistent"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PHOTOS.is_dir(), reason="MNIST_LOCALIZATION_PHOTOS is not set"),
]


@pytest.mark.parametrize(
    ("name", "images", "decisions", "accuracy"),
    [
        ("caltech3", 2032, {"columns read as file,xmin,ymin,xmax,ymax,label": 3}, 0.8),
        ("raccoon", 184, {"image with several objects left out": 16}, 0.2),
    ],
)
def test_photos_are_read_trained_and_reported(tmp_path, name, images, decisions, accuracy):
    project = Project.make(tmp_path / "project", env=name)
    said = subprocess.run(
        [str(KEDRO), "init-dataset", str(PHOTOS / name), f"--name={name}"],
        cwd=project.path,
        env=clean_environment(project.path),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    ).stdout
    assert f"kedro run --env={name}" in said
    project.run("--pipelines=fetch,check")
    said = project.run("--params", "train.epochs=12", timeout_s=500)
    assert "Warning" not in said
    report = project.json("02_intermediate/annotation_report.json")["train"]
    assert report["good_rows"] == images
    assert report["decisions"] == decisions
    metrics = project.json("08_reporting/metrics.json")
    assert metrics["loc_accuracy"] > accuracy
    table = pd.read_parquet(project.data / "07_model_output" / "predictions.parquet")
    assert abs(len(table) - images / 10) <= 2
    page = (project.data / "08_reporting" / "report.html").read_text("utf-8")
    assert page.count("<img") + page.count("<canvas") > 10
