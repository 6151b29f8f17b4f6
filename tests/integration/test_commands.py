"""Commands that a user types, in a copy of the project, in real processes."""

import json
import os
import re
import shutil
import subprocess
import sys
import termios
from contextlib import suppress
from types import SimpleNamespace

import pandas as pd
import pytest

from mnist_localization.folder import Folder
from mnist_localization.run_lock import RunLock
from support.project import KEDRO, ROOT, Project, clean_environment
from support.servers import refusing_url
from support.small_publications import merged, records_of

STAGES = ("fetch", "annotate", "split", "train", "evaluate", "publish")
SAVED_BY = {
    "fetch": ["01_raw/dataset_card.json"],
    "annotate": [
        "02_intermediate/train_annotations.parquet",
        "02_intermediate/test_annotations.parquet",
        "02_intermediate/annotation_report.json",
    ],
    "split": [f"05_model_input/{name}_split" for name in ("train", "validation", "test")],
    "train": ["06_models/localizer.keras", "08_reporting/training_history.parquet"],
    "evaluate": ["07_model_output/predictions.parquet", "08_reporting/metrics.json"],
    "publish": ["08_reporting/report.html", "08_reporting/wandb_receipt.json"],
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Return a project after one `kedro run`, and the output of that run."""
    project = Project.make(tmp_path_factory.mktemp("ran") / "project")
    return project, project.run()


def test_one_command_runs_all_stages_and_saves_their_outputs(ran):
    project, _ = ran
    for names in SAVED_BY.values():
        for name in names:
            assert (project.data / name).exists(), name
    card = project.json("01_raw/dataset_card.json")
    assert (card["source"], card["train_images"], card["test_images"]) == ("synthetic", 256, 64)
    report = project.json("02_intermediate/annotation_report.json")
    assert (report["train"]["good_rows"], report["test"]["bad_rows"]) == (256, 0)
    metrics = project.metrics()
    assert metrics["images"] == 64
    assert metrics["dataset"]["source"] == "synthetic"
    assert set(metrics["baselines"]) == {"mean_box", "center_of_mass"}
    assert project.json("08_reporting/wandb_receipt.json")["mode"] == "offline"


def test_the_last_lines_state_scores_source_report_and_next_step(ran):
    _, said = ran
    # Two epochs on 256 images: the boxes are worse than those of the closed form.
    expected = (
        "Scores:",
        "does not beat the baseline center_of_mass",
        "STAND-IN",
        "report.html",
        "kedro run",
    )
    notes = [line for line in said.splitlines() if "does not beat the baseline mean_box" in line]
    last = said.strip().splitlines()[-5 - len(notes) :]
    for line, text in zip([line for line in last if line not in notes], expected, strict=True):
        assert text in line


def test_progress_bars_appear_on_a_terminal_but_not_in_a_log(ran, tmp_path):
    _, said = ran
    assert "\r" not in said
    project = Project.make(tmp_path / "project")
    reader, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    done = subprocess.Popen(
        project.command("--pipelines=fetch,annotate,split,train", "--params", "train.epochs=1"),
        cwd=project.path,
        env=clean_environment(project.path),
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # Linux raises an error at the end of a terminal
        while part := os.read(reader, 65536):
            shown += part
    assert done.wait() == 0
    for bar in (b"unpack MNIST_Converted_Training.zip", b"decode train", b"label_accuracy"):
        assert bar in shown
    assert b"\r" in shown.replace(b"\r\n", b"")


def test_a_normal_run_logs_no_warning(ran):
    _, said = ran
    for line in said.splitlines():
        assert "Warning" not in line, line
        assert "ERROR" not in line, line
        assert "Traceback" not in line, line
        assert " WARNING " not in line, line


def test_predictions_have_the_documented_columns(ran):
    project, _ = ran
    predictions = pd.read_parquet(project.data / "07_model_output" / "predictions.parquet")
    corners = ("xmin", "ymin", "xmax", "ymax")
    assert list(predictions.columns) == [
        *("file", "label", *corners, "predicted_label", "confidence"),
        *(f"pred_{corner}" for corner in corners),
        *(f"raw_{corner}" for corner in corners),
        "iou",
    ]
    assert predictions["file"].is_unique
    assert len(predictions) == 64


def test_the_line_of_the_tutorial_finds_the_worst_predictions(ran):
    project, _ = ran
    tutorial = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    line = re.search(r"```python\n(catalog.load.*)\n```", tutorial)[1]
    tables = {
        "predictions": project.data / "07_model_output" / "predictions.parquet",
        "test_annotations": project.data / "02_intermediate" / "test_annotations.parquet",
    }
    catalog = SimpleNamespace(load=lambda name: pd.read_parquet(tables[name]))
    worst = eval(line, {"catalog": catalog})  # noqa: S307  # our own documentation
    ious = pd.read_parquet(tables["predictions"])["iou"]
    assert worst["iou"].tolist() == sorted(ious)[:10]
    assert (worst["xmin_x"] == worst["xmin_y"]).all()


def test_export_writes_checks_and_describes_the_model(ran):
    project, _ = ran
    said = project.run("--pipeline=export")
    assert "WARNING" not in said
    report = pd.read_parquet(project.data / "06_models" / "export_report.parquet")
    assert list(report["format"]) == ["keras", "saved_model", "litert", "litert_int8"]
    assert (report["images"] == 64).all()
    for name in report["file"].iloc[1:]:
        assert (project.data / "06_models" / "exported" / name).exists(), name
    card = (project.data / "06_models" / "model_card.md").read_text("utf-8")
    assert "Trained on a stand-in" in card
    assert f"| Mean IoU | {project.metrics()['mean_iou']:.4f} |" in card


@pytest.mark.slow
def test_each_stage_alone_reproduces_the_results(ran):
    project, _ = ran
    metrics, history = project.metrics(), project.history()
    for number, stage in enumerate(STAGES):
        option = "--pipeline" if number % 2 else "--pipelines"
        said = project.run(f"{option}={stage}")
        assert "Warning" not in said
    # A second training with the same seed is equal to the last digit.
    pd.testing.assert_frame_equal(project.history(), history, check_exact=True)
    assert project.metrics() == metrics


def test_a_second_run_on_the_same_data_is_refused_but_not_a_prediction(ran):
    project, _ = ran
    lock = RunLock(Folder(project.data), "kedro run --pipelines=train")
    lock.acquire()
    try:
        said = project.run("--pipelines=evaluate", fails=True)
        project.run("--pipelines=predict", "--params", "predict.images=docs/*.png", fails=True)
    finally:
        lock.release()
    assert re.search(r"is in use by process \d+ on .* \(`kedro run --pipelines=train`\)", said)
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_killed_training_resumes_and_ends_like_an_uninterrupted_one(ran, tmp_path):
    project, _ = ran
    options = ("--pipelines=train", "--params", "train.epochs=6")
    project.run(*options)
    whole = project.history()
    project.kill_at("Epoch 2/6", *options)
    said = project.run(*options)
    assert "Resuming after epoch" in said
    pd.testing.assert_frame_equal(project.history(), whole, check_exact=True)


def test_a_split_killed_while_decoding_completes_when_repeated(tmp_path):
    many = ("--params", "fetch.synthetic.train_images=3000")
    project, undisturbed = (Project.make(tmp_path / name) for name in ("killed", "undisturbed"))
    project.run("--pipelines=fetch,annotate", *many)
    shutil.copytree(project.path / "data", undisturbed.path / "data")
    undisturbed.run("--pipelines=split", *many)
    scratch = project.data / "05_model_input" / ".scratch" / "train"

    def decoding(_log: str) -> bool:
        with suppress(OSError):
            return any(path.stat().st_size > 1_000_000 for path in scratch.glob(".part-*"))
        return False

    project.kill_when(decoding, "--pipelines=split", *many)
    assert not (project.data / "05_model_input" / "train_split").exists()
    project.run("--pipelines=split", *many)
    for name in ("train", "validation", "test"):
        found, expected = (
            each.json(f"05_model_input/{name}_split/split.json") for each in (project, undisturbed)
        )
        assert found == expected
    assert not list(project.data.glob("05_model_input/.scratch/*"))


def test_without_a_network_all_stages_use_the_stand_in_and_report_it(tmp_path):
    project = Project.make(tmp_path / "project")
    unreachable = f"fetch.source=upstream,fetch.upstream.url={refusing_url()},train.epochs=1"
    said = project.run("--params", unreachable)
    assert "continues with a SYNTHETIC" in said
    assert project.json("01_raw/dataset_card.json")["source"] == "synthetic"
    assert project.metrics()["dataset"]["source"] == "synthetic"
    page = (project.data / "08_reporting" / "report.html").read_text("utf-8")
    assert "Synthetic stand-in, not the real dataset" in page
    [run] = project.json("08_reporting/wandb_receipt.json")["runs"]
    config = json.dumps(merged(records_of(project.path / run["folder"]), "config"))
    assert '"source": "synthetic"' in config.replace("\\", "")


@pytest.mark.slow
def test_report2020_trains_on_all_rows_and_reports_validation_on_the_test_split(tmp_path):
    project = Project.make(tmp_path / "project", env="report2020")
    said = project.run(
        "--params",
        "fetch.source=synthetic,fetch.synthetic.train_images=200,fetch.synthetic.test_images=40,"
        "train.epochs=1,wandb.mode=disabled",
    )
    assert "This training validates on the test split." in said
    assert project.metrics()["dataset"]["validated_on"] == "test"
    assert "validat" in (project.data / "08_reporting" / "report.html").read_text("utf-8")
    splits = {
        name: project.json(f"05_model_input/{name}_split/split.json")["drawn_from"]
        for name in ("train", "validation", "test")
    }
    assert splits == {"train": "train", "validation": "test", "test": "test"}
    rows = pd.read_parquet(project.data / "05_model_input/train_split/annotations.parquet")
    assert len(rows) == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--params", "fetch.sorce=upstream"), "sorce"),
        (("--params", "train.epochs=0"), "epochs"),
        (("--pipelines=fetch", "--params", "fetch.base_url=nowhere"), "cannot be read"),
        (("--pipelines=evaluate",), "kedro run"),
    ],
)
def test_a_user_error_is_one_message_without_a_traceback(tmp_path, arguments, message):
    project = Project.make(tmp_path / "project")
    said = project.run(*arguments, fails=True)
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "arguments",
    [["registry", "list"], ["--help"], ["run", "--env=test", "--pipeline=fetch"]],
    ids=" ".join,
)
def test_light_commands_import_no_heavy_library(ran, arguments):
    project, _ = ran
    script = (
        "import sys\n"
        "from kedro.framework.cli.cli import main\n"
        f"sys.argv = ['kedro', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'tensorflow', 'keras', 'wandb', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project.path,
        env=clean_environment(project.path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_registry_lists_every_stage(ran):
    project, _ = ran
    listed = subprocess.run(
        [str(KEDRO), "registry", "list"],
        cwd=project.path,
        env=clean_environment(project.path),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    for stage in (*STAGES, "__default__"):
        assert f"- {stage}\n" in listed
