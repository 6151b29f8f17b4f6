"""An offline run, read from its files."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mnist_localization.data.annotated_image import AnnotatedImage, Box
from mnist_localization.errors import RecordError
from mnist_localization.tracking import Receipt
from support.small_publications import (
    CLASS_NAMES,
    FINGERPRINT,
    FOLDER,
    make_tracker,
    merged,
    metrics,
    of_type,
    publication,
    records_of,
    run_all,
    train,
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    git = ["git", "-C", str(root), "-c", "user.name=me", "-c", "user.email=me@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "start"], check=True)
    return root


@pytest.fixture(scope="module")
def receipt(project: Path) -> Receipt:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WANDB_API_KEY", raising=False)
        return run_all(project, settings={"mode": "offline"})


@pytest.fixture(scope="module")
def folder(project: Path, receipt: Receipt) -> Path:
    return project / receipt.runs[0].folder


@pytest.fixture(scope="module")
def records(folder: Path) -> list[dict[str, Any]]:
    return records_of(folder)


def test_the_receipt_lists_the_run_and_the_command_that_uploads_it(
    project: Path, receipt: Receipt
) -> None:
    assert receipt.mode == "offline"
    assert receipt.report_url is None
    (run,) = receipt.runs
    assert run.job_type == "pipeline"
    assert run.url is None
    assert (project / run.folder).is_dir()
    assert Path(run.folder).is_relative_to(FOLDER)
    assert "kedro run --pipelines=publish" in str(receipt.sync_command)
    assert "wandb.mode=online" in str(receipt.sync_command)


def test_each_epoch_is_one_row_with_metrics_and_overlays(records: list[dict[str, Any]]) -> None:
    rows = [row["item"] for row in of_type(records, "history")]
    epochs = [row for row in rows if "epoch/epoch" in row]
    assert [row["epoch/epoch"] for row in epochs] == [1, 2]
    assert [row["epoch/loss"] for row in epochs] == [1.0, 0.5]
    assert [row["epoch/sample.count"] for row in epochs] == [2, 2]
    assert len(rows) == 3, "two epochs, and what is published"


def test_boxes_have_scores_and_class_labels(folder: Path, records: list[dict[str, Any]]) -> None:
    (row,) = [
        row["item"] for row in of_type(records, "history") if row["item"].get("epoch/epoch") == 2
    ]
    boxes = row["epoch/sample.all_boxes"]
    assert set(boxes[0]) == {"predictions", "ground_truth"}
    drawn = json.loads((folder / "files" / boxes[1]["predictions"]["path"]).read_text())
    assert drawn["class_labels"] == {str(i): name for i, name in enumerate(CLASS_NAMES)}
    (box,) = drawn["box_data"]
    assert box["scores"] == {"confidence": 0.52, "iou": 0.2}
    assert box["class_id"] == 2
    assert box["position"] == {"minX": 0.1, "minY": 0.2, "maxX": 0.5, "maxY": 0.6}
    captions = row["epoch/sample.captions"]
    assert captions[1].startswith("image_2.png | true <script> | predicted <script>")


def test_images_keep_their_pixels(folder: Path, records: list[dict[str, Any]]) -> None:
    from PIL import Image

    row = next(row["item"] for row in of_type(records, "history") if "epoch/epoch" in row["item"])
    with Image.open(folder / "files" / row["epoch/sample.filenames"][1]) as image:
        assert image.size == (30, 20)
        assert image.getextrema() == (20, 20)


def test_the_configuration_contains_parameters_data_and_commit(
    project: Path, records: list[dict[str, Any]]
) -> None:
    config = merged(of_type_of_run(records) + records, "config")
    assert config["train"] == {"epochs": 2}
    assert config["dataset_card"]["source"] == "synthetic"
    assert config["fingerprint"] == FINGERPRINT
    commit = subprocess.run(
        ["git", "-C", str(project), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    assert config["git_commit"] == commit.stdout.strip()
    assert config["versions"]["mnist-localization"]


def of_type_of_run(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first configuration, which is in the record of the run."""
    return [{"type": "config", "config": run["config"]} for run in of_type(records, "run")]


def test_the_run_has_group_and_job_type(receipt: Receipt, records: list[dict[str, Any]]) -> None:
    run = of_type(records, "run")[0]
    assert run["run_group"] == receipt.group
    assert run["job_type"] == "pipeline"
    assert run["project"] == "boxes"
    assert of_type(records, "exit")[0]["exit_code"] == 0


def test_the_summary_holds_scores_and_the_best_of_the_epochs(
    records: list[dict[str, Any]],
) -> None:
    summary = merged(records, "summary")
    assert summary["test/label_accuracy"] == 0.8
    assert summary["baseline/mean_box/mean_iou"] == 0.0995
    defined = {metric.get("name"): metric for metric in of_type(records, "metric")}
    assert defined["epoch/val_label_accuracy"]["summary"] == {"max": True}
    assert defined["epoch/loss"]["summary"] == {"min": True}
    assert defined["epoch/loss"]["step_metric"] == "epoch/epoch"


def test_gallery_table_and_figures_are_one_row(records: list[dict[str, Any]]) -> None:
    row = of_type(records, "history")[-1]["item"]
    assert row["gallery/worst.count"] == 2
    assert row["gallery/mistakes.count"] == 2  # one of them is among the worst too
    assert row["gallery/random.count"] == 2
    assert row["gallery/table._type"] == "table-file"
    assert row["gallery/table.nrows"] == 5
    assert row["scores/iou._type"] == "histogram"
    assert row["scores/confusion_matrix_table.ncols"] == 3


def test_the_artifact_holds_model_scores_predictions_and_page(
    project: Path, records: list[dict[str, Any]]
) -> None:
    (artifact,) = [one for one in of_type(records, "artifact") if one["type"] == "model"]
    content, data, latest = sorted(artifact["aliases"])
    assert content.startswith("content-")
    assert [data, latest] == [f"data-{FINGERPRINT[:8]}", "latest"]
    files = {one["path"]: Path(one["local_path"]) for one in artifact["manifest"]["contents"]}
    assert set(files) == {
        "localizer.keras",
        "metrics.json",
        "dataset_card.json",
        "predictions.parquet",
        "training_history.parquet",
        "report.html",
    }
    assert all(path.is_relative_to(project / FOLDER) for path in files.values())
    assert json.loads(files["metrics.json"].read_text()) == metrics().model_dump(mode="json")
    assert files["localizer.keras"].read_bytes().startswith(b"keras:")


def test_nothing_of_machine_or_password_is_recorded(
    project: Path, records: list[dict[str, Any]]
) -> None:
    import getpass
    import platform

    text = json.dumps([one for one in records if one["type"] in {"run", "config", "summary"}])
    assert "me:pass" not in text
    assert f'"{platform.node()}"' not in text
    assert f'"{getpass.getuser()}"' not in text


def test_stages_in_turn_publish_what_one_run_publishes(
    project: Path, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    training = make_tracker(tmp_path, "train")
    train(training)
    training.close()
    evaluate = make_tracker(tmp_path, "evaluate")
    evaluate.log_scores(metrics())
    evaluate.close()
    receipt = make_tracker(tmp_path, "publish").publish(publication())

    assert [run.job_type for run in receipt.runs] == ["train", "evaluate", "publish"]
    parts = [records_of(tmp_path / run.folder) for run in receipt.runs]
    assert {of_type(part, "run")[0]["run_group"] for part in parts} == {receipt.group}
    rows = [row["item"] for part in parts for row in of_type(part, "history")]
    once = [row["item"] for row in of_type(records, "history")]
    assert [_content(row) for row in rows] == [_content(row) for row in once]
    for part in parts[1:]:
        assert merged(part, "summary")["test/mean_iou"] == 0.4
    assert _artifact(parts[2]) == _artifact(records)


def _content(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without times, steps and ids."""
    return {
        name: value
        for name, value in row.items()
        if not name.startswith("_") and not name.endswith(("path", "filenames", "all_boxes"))
    } | {name: len(value) for name, value in row.items() if name.endswith("all_boxes")}


def _artifact(records: list[dict[str, Any]]) -> dict[str, str]:
    (artifact,) = [one for one in of_type(records, "artifact") if one["type"] == "model"]
    return {
        one["path"]: one["digest"]
        for one in artifact["manifest"]["contents"]
        if not one["path"].endswith(".parquet")
    }


def test_publishing_the_same_content_again_opens_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = run_all(tmp_path)
    caplog.set_level("INFO")
    again = make_tracker(tmp_path, "publish").publish(publication())
    assert again.unchanged is True
    assert again.runs == first.runs
    assert len(list((tmp_path / FOLDER / "wandb").glob("offline-run-*"))) == 1
    assert "nothing has changed" in caplog.text

    other = make_tracker(tmp_path, "publish").publish(publication(value=2.0))
    assert other.unchanged is False
    assert len(other.runs) == 2


def test_a_publication_of_a_training_without_a_run_contains_its_epochs(tmp_path: Path) -> None:
    receipt = make_tracker(tmp_path, "publish").publish(publication())
    rows = of_type(records_of(tmp_path / receipt.runs[0].folder), "history")
    assert [row["item"]["epoch/loss"] for row in rows[:2]] == [1.0, 0.5]


def test_a_box_that_cannot_be_drawn_is_an_error_that_names_the_image(tmp_path: Path) -> None:
    tracker = make_tracker(tmp_path, "train")
    bad = AnnotatedImage(
        "bad.png",
        publication().gallery[0].annotated.image,
        {"predictions": [Box((0.5, 0.1, 0.2, 0.6), 0)]},
    )
    with pytest.raises(RecordError, match=r"bad\.png"):
        tracker.log_epoch(1, {"loss": 1.0}, [bad], CLASS_NAMES)
    tracker.close()
