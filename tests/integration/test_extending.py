"""Extension by one file each: an architecture, a format, a metric, a chart, an export format.

The files are in `tests/support/extensions`, at the places that they take in the package.
"""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from support.project import ROOT, Project, clean_environment
from support.small_publications import merged, records_of

EXTENSIONS = ROOT / "tests" / "support" / "extensions"
CLASSES = ("dim", "bright")
PARAMETERS = {
    "fetch": {
        "source": "folder",
        "folder": {"path": "photos", "train_annotations": "annotations.json"},
    },
    "dataset": {"class_names": list(CLASSES), "annotations": {"format": "rectangles"}},
    "split": {"test_share": 0.25, "validation": {"share": 0.25}},
    "train": {"architecture": "tiny"},
    "wandb": {"mode": "offline", "epoch_sample": {"images": 2}},
    "publish": {"gallery": {"worst": 2, "mistakes": 2, "random": 2}},
    "export": {"formats": ["weights_text"], "latency_runs": 1},
}
# Prints what kedro viz and the documentation list in a project.
LISTING = """
import contextlib, io, json, sys
from pathlib import Path
sys.path.insert(0, "docs")
with contextlib.redirect_stdout(io.StringIO()):
    from fastapi.testclient import TestClient
    from kedro_viz.api.apps import create_api_app_from_project
    from kedro_viz.server import load_and_populate_data
    load_and_populate_data(Path.cwd(), env="extended")
    client = TestClient(create_api_app_from_project(Path.cwd()))
    nodes = client.get("/api/main").json()["nodes"]
    nodes += client.get("/api/pipelines/export_predictions").json()["nodes"]
    import _generate
    page = _generate.on_page_markdown(Path("docs/configuration.md").read_text("utf-8"))
print(json.dumps({"viz": [node["name"] for node in nodes], "page": page}))
"""


def draw_dataset(folder, count=64):
    """Draw bright and dim squares, annotated in one rectangles document."""
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(3)
    document = []
    for number in range(count):
        left, top = (int(each) for each in random.integers(0, 72, size=2))
        pixels = np.zeros((100, 100), np.uint8)
        pixels[top : top + 28, left : left + 28] = (90, 250)[number % 2]
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        box = {"x": left + 14, "y": top + 14, "width": 28, "height": 28}
        item = {"label": CLASSES[number % 2], "coordinates": box}
        document.append({"image": f"{number}.png", "annotations": [item]})
    (folder / "annotations.json").write_text(json.dumps(document), "utf-8")


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """Run a copy of the project with all five extensions once."""
    project = Project.make(tmp_path_factory.mktemp("extended") / "project", env="extended")
    package = project.path / "src" / "mnist_localization"
    package.unlink()
    shutil.copytree(
        ROOT / "src" / "mnist_localization", package, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(EXTENSIONS, package, dirs_exist_ok=True)
    shutil.copytree(ROOT / "docs", project.path / "docs")
    environment = project.path / "conf" / "extended"
    environment.mkdir()
    (environment / "parameters.yml").write_text(yaml.safe_dump(PARAMETERS), "utf-8")
    (environment / "globals.yml").write_text("data: data/extended\nraw: data/extended/raw\n")
    draw_dataset(project.path / "photos")
    stages = "fetch,annotate,split,train,evaluate,publish,export,export_predictions"
    project.run(f"--pipelines={stages}")
    return project


@pytest.fixture(scope="module")
def listing(extended):
    """Names of the nodes in kedro viz, and the generated page of the configuration."""
    done = subprocess.run(
        [sys.executable, "-c", LISTING],
        cwd=extended.path,
        env=clean_environment(extended.path) | {"PYTHONPATH": str(extended.path / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def page(extended):
    return (extended.data / "08_reporting" / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def model_card(extended):
    return (extended.data / "06_models" / "model_card.md").read_text("utf-8")


@pytest.fixture(scope="module")
def wandb_run(extended):
    """Summary and config of the recorded run."""
    [run] = extended.json("08_reporting/wandb_receipt.json")["runs"]
    records = records_of(extended.path / run["folder"])
    return json.dumps(merged(records, "summary")), json.dumps(merged(records, "config"))


def test_an_architecture_trains_and_appears_everywhere(
    extended, page, model_card, wandb_run, listing
):
    assert len(extended.history()) == 1
    assert "tiny" in page
    assert "tiny" in model_card
    assert "tiny" in wandb_run[1]
    assert "| `tiny` | A tiny architecture for tests" in listing["page"]
    assert "`train.architectures.tiny.units`" in listing["page"]


def test_an_unknown_name_is_rejected_with_the_names_that_exist(extended):
    said = extended.run("--params", "train.architecture=nonsense", fails=True)
    for name in ("tiny", "glimpse", "report2020"):
        assert name in said
    assert "Traceback" not in said


def test_an_annotation_format_is_read_written_and_listed(extended, listing):
    rows = pd.read_parquet(extended.data / "02_intermediate" / "train_annotations.parquet")
    assert len(rows) == 64
    assert ((rows["xmax"] - rows["xmin"] - 0.28).abs() < 1e-6).all()
    written = extended.data / "07_model_output" / "predictions_rectangles" / "annotations.json"
    assert len(json.loads(written.read_text("utf-8"))) == extended.metrics()["images"]
    assert "predictions_rectangles" in listing["viz"]
    assert "| `rectangles` | `center_xywh` |" in listing["page"]


def test_a_metric_is_computed_and_shown_everywhere(extended, page, model_card, wandb_run, listing):
    metrics = extended.metrics()
    predictions = pd.read_parquet(extended.data / "07_model_output" / "predictions.parquet")
    corners = ["xmin", "ymin", "xmax", "ymax"]
    predicted = predictions[[f"pred_{corner}" for corner in corners]].to_numpy()
    expected = np.abs(predicted - predictions[corners].to_numpy()).mean()
    assert metrics["edge_error"] == pytest.approx(expected)
    low, high = metrics["intervals"]["edge_error"]
    assert low <= metrics["edge_error"] <= high
    assert "edge_error" in metrics["baselines"]["mean_box"]
    assert "Edge error" in page
    assert "Edge error" in model_card
    assert "edge_error" in wandb_run[0]
    assert "| `edge_error` | Edge error | ratio | bootstrap | lower |" in listing["page"]


def test_a_chart_is_drawn_for_the_report_and_for_kedro_viz(extended, page, listing):
    assert "Images by confidence of the label" in page
    assert 'id="confidence-title"' in page
    figure = extended.json("08_reporting/confidence_chart.json")
    assert sum(figure["data"][0]["y"]) == extended.metrics()["images"]
    assert "confidence_chart" in listing["viz"]
    assert "| `confidence_chart` | Images by confidence of the label |" in listing["page"]


def test_an_export_format_is_written_compared_and_described(extended, model_card, listing):
    report = pd.read_parquet(extended.data / "06_models" / "export_report.parquet")
    assert list(report["format"]) == ["keras", "weights_text"]
    assert (extended.data / "06_models" / "exported" / "localizer.json").is_file()
    assert "localizer.json" in model_card
    assert "| `weights_text` | `localizer.json` |" in listing["page"]
    assert "`weights_text`" in listing["page"].split("| `export.formats` |")[1].split("\n")[0]
