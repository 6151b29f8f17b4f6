"""Log lines of a run."""

import logging
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest

from mnist_localization.hooks import ProgressHooks, dataset_place, summary_lines
from mnist_localization.tracking import Receipt
from support.dataset_cards import make_card
from support.small_publications import metrics

RUN = {"id": "a", "job_type": "train", "folder": "a", "url": "http://a"}
RECEIPT = {"mode": "offline", "sync_command": "wandb sync x", "runs": [], "report_url": None}


def lines(results, page=""):
    return list(summary_lines(results, page))


def test_a_fetch_ends_with_the_dataset():
    card = make_card(train_images=60000, test_images=10000)
    assert lines({"dataset_card": card}) == [
        "Dataset: upstream, 60,000 training and 10,000 test images"
    ]
    assert lines({"dataset_card": make_card(source="folder", test_images=0)}) == [
        "Dataset: folder, 60,000 images, part of them for the test split"
    ]
    given = make_card(validation_images=5000)
    assert given.counts_text() == "60,000 training, 5,000 validation and 10,000 test images"
    one_folder = {"annotations": "a.csv", "archive": "images", "images": "images"}
    shared = make_card(splits={"train": one_folder, "test": one_folder})
    assert shared.counts_text() == "images of 2 sets, of which some share a folder"


def test_an_evaluation_ends_with_scores_and_source():
    first, *notes, last = lines({"metrics": metrics(), "dataset_card": make_card()})
    assert first.startswith("Scores:")
    assert "on 5 test images" in first
    assert all(note.startswith("Note:") for note in notes)
    assert last == "Dataset: synthetic, the local STAND-IN for the published dataset"


@pytest.mark.parametrize(
    ("protocol", "path", "shown"),
    [
        ("file", "/project/data/report.html", "data/report.html"),
        ("file", "/other/page.html", "/other/page.html"),
        ("s3", "bucket/page.html", "s3://bucket/page.html"),
    ],
)
def test_the_page_is_relative_to_the_project_or_a_url(protocol, path, shown):
    dataset = SimpleNamespace(_protocol=protocol, _filepath=PurePosixPath(path))
    place = dataset_place(dataset, Path("/project"))
    assert lines({}, place) == [f"Report:  {shown} (open it in a browser)"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"mode": "disabled"}, "W&B:     disabled"),
        ({}, "W&B:     recorded offline; with a key, upload it with: wandb sync x"),
        ({"mode": "online", "report_url": "http://r"}, "W&B:     http://r"),
        ({"mode": "online", "runs": [RUN]}, "W&B:     http://a"),
        ({"mode": "online"}, "W&B:     online"),
    ],
)
def test_the_last_line_is_about_tracking(changes, expected):
    receipt = Receipt.model_validate(RECEIPT | changes)
    assert lines({"wandb_receipt": receipt}) == [expected]


def test_each_stage_is_logged_once_with_its_seconds(caplog):
    caplog.set_level(logging.INFO)
    hooks = ProgressHooks()
    for _ in range(2):
        caplog.clear()
        hooks.before_pipeline_run()
        for stage in ("fetch", "split", "split"):
            hooks.before_node_run(SimpleNamespace(tags={stage}, name="node"))
        hooks.after_pipeline_run()
        messages = [record.getMessage() for record in caplog.records]
        assert messages[:-1] == ["--- fetch", "--- split"]
        assert messages[-1].startswith("--- Seconds: fetch 0.0, split 0.0")
