"""The published dataset, all 70,000 images of it, through the commands that a user types.

Runs where `MNIST_LOCALIZATION_BASE_URL` names a copy of it: a folder, or an http(s) URL.
`MNIST_LOCALIZATION_REQUIRE_MIRROR=1` makes a missing copy a failure.
"""

import hashlib
import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from mnist_localization.data.images.store import ImageStore
from mnist_localization.data.sources.source_folder import blob_id_of
from support.project import ROOT, Project
from support.servers import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

STAGES = ("fetch", "annotate", "split", "train", "evaluate", "publish")
TRAIN_IMAGES, TEST_IMAGES = 60_000, 10_000
# Of all pixels in the order of the CSV, uint8, as one array [images, 100, 100].
PIXELS_SHA256 = {
    "train": "22489e205c79979d67bbd1d08095201830f1e6ade5ca074ba58c2f337785c52c",
    "test": "50d54b9d259a6c6f36db2f96a592cc0fc6b87be2b60fbd332aa5c5a26d6eb770",
}
RUN_LIMIT_S = 900


@pytest.fixture(scope="module")
def base_url():
    """Return the URL of the published files, on loopback or another server."""
    named = os.environ.get("MNIST_LOCALIZATION_BASE_URL", "")
    if not named:
        reason = "MNIST_LOCALIZATION_BASE_URL names no copy of the published dataset"
        if os.environ.get("MNIST_LOCALIZATION_REQUIRE_MIRROR") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    remote = named.startswith(("http://", "https://"))
    here = nullcontext(SimpleNamespace(url=named)) if remote else serving(Path(named))
    with here as server:
        yield server.url


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Both tests share a project, and so its raw files."""
    return Project.make(tmp_path_factory.mktemp("published") / "project").path


def pixels_sha256(split: Path, csv: Path) -> str:
    """Hash of the images of a store, taken in the order of a CSV."""
    store = ImageStore(split)
    rows = pd.Series(range(len(store)), index=store.annotations["file"])
    order = rows[pd.read_csv(csv, header=None)[0]].to_numpy()
    digest = hashlib.sha256()
    for start in range(0, len(order), 1000):
        digest.update(store.read(order[start : start + 1000]).tobytes())
    return digest.hexdigest()


def test_all_stages_together_and_each_alone(base_url, path):
    project = Project(path, env="base")
    options = ("--params", f"fetch.base_url={base_url},train.epochs=2")
    said = project.run(*options, timeout_s=RUN_LIMIT_S)

    card = project.json("01_raw/dataset_card.json")
    assert (card["source"], card["base_url"]) == ("base_url", base_url)
    assert (card["train_images"], card["test_images"]) == (TRAIN_IMAGES, TEST_IMAGES)
    raw = project.data / "01_raw" / card["folder"]
    fetch = yaml.safe_load((ROOT / "conf/base/parameters_fetch.yml").read_text("utf-8"))["fetch"]
    for at in card["splits"].values():
        assert (
            blob_id_of(raw / at["annotations"]) == fetch["upstream"]["blob_ids"][at["annotations"]]
        )
    report = project.json("02_intermediate/annotation_report.json")
    assert (report["train"]["good_rows"], report["train"]["bad_rows"]) == (TRAIN_IMAGES, 0)
    assert (report["test"]["good_rows"], report["test"]["bad_rows"]) == (TEST_IMAGES, 0)
    test_split = project.data / "05_model_input" / "test_split"
    assert pixels_sha256(test_split, raw / "test_data.csv") == PIXELS_SHA256["test"]

    metrics, history = project.metrics(), project.history()
    assert metrics["images"] == TEST_IMAGES
    assert metrics["dataset"]["source"] == "base_url"
    # Four lines of arithmetic find each box of this dataset to the pixel.
    assert metrics["baselines"]["center_of_mass"]["exact_box"] == 1.0
    # Two epochs of the eight that the base configuration has.
    assert metrics["label_accuracy"] > 0.97
    assert metrics["mean_iou"] > 0.99
    assert any("Scores:  label accuracy" in line for line in said.splitlines()[-6:])

    for stage in STAGES:
        project.run(f"--pipelines={stage}", *options, timeout_s=RUN_LIMIT_S)
        if stage == "train":
            pd.testing.assert_frame_equal(project.history(), history, check_exact=True)
    assert project.metrics() == metrics
    assert project.json("01_raw/dataset_card.json") == card
    project.run("--pipelines=evaluate", timeout_s=RUN_LIMIT_S)
    assert project.metrics() == metrics


def test_the_report_of_2020_scores_as_its_notebook_did(base_url, path):
    """Measured of the notebook itself after two epochs: 0.981 and 0.424."""
    project = Project(path, env="report2020")
    said = project.run(
        "--params", f"fetch.base_url={base_url},train.epochs=2", timeout_s=RUN_LIMIT_S
    )
    assert "This training validates on the test split." in said
    metrics = project.metrics()
    assert metrics["images"] == TEST_IMAGES
    assert metrics["dataset"]["validated_on"] == "test"
    assert len(project.history()) == 2
    assert metrics["label_accuracy"] > 0.97
    assert 0.38 < metrics["mean_iou"] < 0.46
    card = project.json("01_raw/dataset_card.json")
    csv = path / "data" / "01_raw" / card["folder"] / "training_data.csv"
    train_split = project.data / "05_model_input" / "train_split"
    assert pixels_sha256(train_split, csv) == PIXELS_SHA256["train"]
