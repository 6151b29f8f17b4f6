"""Tests of `kedro viz`: responses of its server, and the static site in a browser."""

import base64
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image
from selenium.webdriver.support.ui import WebDriverWait

from support.browser import open_browser
from support.project import KEDRO, Project, clean_environment

STAGES = ["fetch", "annotate", "split", "train", "evaluate", "publish"]
LAYERS = ["raw", "intermediate", "model_input", "models", "model_output", "reporting"]
PREVIEWS = {
    "JSONPreview": {"dataset_card", "annotation_report", "metrics", "wandb_receipt"},
    "TablePreview": {
        *("train_annotations", "test_annotations", "train_split", "validation_split"),
        *("test_split", "training_history", "model_summary", "predictions"),
        *("baseline_predictions", "robustness"),
    },
    "PlotlyPreview": {
        *("learning_curves", "iou_histogram", "confusion_heatmap", "class_scores"),
        *("position_heatmap", "reliability_diagram"),
    },
    "ImagePreview": {
        *("dataset_sample", "model_diagram", "worst_predictions", "random_predictions"),
    },
}
# Light, without the tour for new users, and with space for the graph.
PREFERENCES = {
    "theme": "light",
    "showFeatureHints": False,
    "userPreferences": {"showFeatureHints": False, "showDatasetPreviews": True},
    "visible": {"sidebar": False, "miniMap": False},
}


class Server:
    """A running `kedro viz`: its responses and its log."""

    def __init__(self, url: str, log: Path) -> None:
        self.url, self.log = url, log
        self.main = self.get("main")
        self.nodes = {
            node["name"]: node for node in self.main["nodes"] if node["type"] != "modularPipeline"
        }

    def get(self, path: str) -> Any:
        return requests.get(f"{self.url}/api/{path}", timeout=30).json()

    def details(self, name: str) -> Any:
        return self.get(f"nodes/{self.nodes[name]['id']}")


@pytest.fixture(scope="module")
def viz(ran: Project) -> Iterator[Server]:
    """Start `kedro viz` like a user, without a browser."""
    port = _free_port()
    log = ran.path / "viz.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [KEDRO, "viz", "run", "--no-browser", "--env=test", f"--port={port}"],
            cwd=ran.path,
            env=_environment(ran),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 120
        while "started successfully" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield Server(f"http://127.0.0.1:{port}", log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def site(ran: Project) -> Path:
    """Build the static site with `kedro viz build`."""
    done = subprocess.run(
        [KEDRO, "viz", "build", "--include-previews"],
        cwd=ran.path,
        env=_environment(ran),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=True,
    )
    # The exit status is 0 even after an error.
    assert "Success" in done.stdout, done.stdout
    return ran.path / "build"


def _free_port() -> int:
    """Return a free port; kedro viz rejects ports of the ephemeral range."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


def _environment(project: Project) -> dict[str, str]:
    # The check for a newer version fails at once instead of waiting for a network.
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    return {**clean_environment(project.path), "KEDRO_ENV": project.env, **nowhere}


def test_kedro_viz_starts_without_a_warning(viz):
    said = viz.log.read_text()
    for word in ("warn", "deprecat", "error", "traceback", "exception"):
        assert word not in said.lower(), said


def test_layers_are_in_the_order_of_the_data_flow(viz):
    assert viz.main["layers"] == LAYERS
    for name in ("dataset_card", "train_annotations", "train_split", "localizer", "predictions"):
        assert viz.nodes[name]["layer"] in LAYERS


def test_each_stage_is_one_group_and_no_dataset_is_renamed(viz):
    groups = viz.main["modular_pipelines"]
    shown = {
        each["id"] for each in groups["__root__"]["children"] if each["type"] == "modularPipeline"
    }
    assert shown == set(groups) - {"__root__"} == set(STAGES)
    tasks = [node for node in viz.nodes.values() if node["type"] == "task"]
    assert {node["modular_pipelines"][0] for node in tasks} == set(STAGES)
    for node in tasks:
        assert node["tags"] == node["modular_pipelines"]
    assert not [name for name in viz.nodes if "." in name]


def test_pipelines_are_listed_in_the_order_of_the_data_flow(viz):
    listed = [pipeline["id"] for pipeline in viz.main["pipelines"]]
    assert listed[:7] == ["__default__", *STAGES]


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in PREVIEWS.items() for name in sorted(names)]
)
def test_a_dataset_has_a_preview(viz, ran, kind, name):
    details = viz.details(name)
    preview = details["preview"]
    assert details["preview_type"] == kind
    if kind == "TablePreview":
        assert len(preview["data"]) > 0 or name == "robustness"  # empty by default
        assert all(len(row) == len(preview["columns"]) for row in preview["data"])
    elif kind == "ImagePreview":
        image = Image.open(io.BytesIO(base64.b64decode(preview)))
        assert min(image.size) > 300
    elif kind == "PlotlyPreview":
        assert preview["data"]
        assert preview["layout"]["title"]["text"]
    else:
        (path,) = ran.data.rglob(f"{name}.json")
        assert json.loads(preview) == json.loads(path.read_text("utf-8"))


def test_the_preview_of_the_model_lists_layers_types_shapes_and_parameters(viz):
    preview = viz.details("model_summary")["preview"]
    assert preview["columns"] == ["layer", "type", "output_shape", "parameters", "inputs"]
    rows = {row[0]: row[1:] for row in preview["data"]}
    assert rows["conv_1"] == ["Conv2D", "98 x 98 x 32", 320, "input"]
    assert sum(row[2] for row in rows.values()) == 35086


def test_datasets_of_pipelines_on_demand_have_a_layer(viz):
    nodes = {
        node["name"]: node
        for pipeline in ("check", "compare", "export", "export_predictions", "repeat")
        for node in viz.get(f"pipelines/{pipeline}")["nodes"]
    }
    for name in ("check_page", "run_comparison", "model_card", "predictions_voc"):
        assert nodes[name]["layer"] in LAYERS


def test_the_report_is_an_output_of_publish(viz):
    sources = {edge["source"] for edge in viz.main["edges"]}
    assert viz.nodes["html_report"]["id"] not in sources


def test_the_static_site_shows_data_flow_groups_and_previews(site, tmp_path):
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        with open_browser(tmp_path / "profile", width=1400, height=1800) as page:
            page.get(f"{url}/favicon.ico")
            page.execute_script(
                "localStorage.setItem('KedroViz', arguments[0])", json.dumps(PREFERENCES)
            )
            page.get(f"{url}/")
            _look_at_the_flow(page)
            _open_a_preview(page)
            _open_a_group(page)
    finally:
        server.shutdown()
        server.server_close()


def layer_names(page):
    return [layer.text for layer in page.find_elements("css selector", ".pipeline-layer-name")]


def _look_at_the_flow(page):
    WebDriverWait(page, 30).until(lambda _: set(STAGES) <= set(_shown(page)))
    # The names appear one after the other while the diagram moves into place.
    WebDriverWait(page, 20).until(lambda _: layer_names(page) == LAYERS, layer_names(page))
    assert {"dataset_sample", "runs", "predictions", "metrics"} <= set(_shown(page))
    assert "train_localizer" not in _shown(page)


def _open_a_preview(page):
    _press(page, "dataset_sample")
    panel = WebDriverWait(page, 10).until(
        lambda _: page.find_elements("css selector", ".pipeline-metadata--visible img")
    )
    WebDriverWait(page, 10).until(
        lambda _: page.execute_script("return arguments[0].naturalWidth", panel[0]) > 300
    )


def _open_a_group(page):
    _press(page, "train")
    # The collapsed group disappears.
    WebDriverWait(page, 10).until(
        lambda _: "train_localizer" in _shown(page) and "train" not in _shown(page)
    )
    assert "evaluate" in _shown(page)


def _shown(page):
    return page.execute_script(
        "return [...document.querySelectorAll('.pipeline-node')].map(it => it.textContent.trim())"
    )


def _press(page, name):
    page.execute_script(
        "[...document.querySelectorAll('.pipeline-node')]"
        ".find(it => it.textContent.trim() === arguments[0])"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))",
        name,
    )
