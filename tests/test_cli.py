"""Command `run`: options and error messages."""

import errno
import logging

import pytest
from click.testing import CliRunner
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import find_run_command
from kedro.io import DatasetError
from kedro.pipeline import Node, Pipeline

from mnist_localization import cli
from mnist_localization.errors import SourceError


@pytest.fixture
def invoke(monkeypatch):
    """Function that invokes `run` with a replacement of Kedro's callback."""

    def run(*arguments, error=None):
        received = {}

        def callback(**options):
            received.update(options)
            if error is not None:
                raise error

        monkeypatch.setattr(kedro_run, "callback", callback)
        return CliRunner().invoke(cli.cli, ["run", *arguments]), received

    return run


def test_the_packaged_project_finds_the_command():
    assert find_run_command("mnist_localization") is cli.cli.commands["run"]


def test_it_has_all_options_of_kedro():
    assert [option.opts for option in cli.run.params] == [o.opts for o in kedro_run.params]


@pytest.mark.parametrize("option", ["--pipeline=fetch", "--pipelines=fetch"])
def test_both_spellings_select_a_pipeline(invoke, option):
    result, options = invoke(option)
    assert result.exit_code == 0, result.output
    assert list(options["pipelines"]) == ["fetch"]
    assert not options["pipeline"]


def test_a_user_error_is_one_message(invoke):
    result, _ = invoke(error=SourceError("a.zip is damaged; fetch it again"))
    assert result.exit_code == 1
    assert result.output == "Error: a.zip is damaged; fetch it again\n"


def test_the_cause_of_a_dataset_error_is_shown(invoke):
    error = DatasetError("Failed while loading data from dataset X(a=1)")
    error.__cause__ = SourceError("card.json is damaged")
    assert invoke(error=error)[0].output == "Error: card.json is damaged\n"


def test_a_missing_dataset_names_the_remedy(invoke):
    error = DatasetError("No such file: a.parquet")
    error.__cause__ = FileNotFoundError("a.parquet")
    output = invoke(error=error)[0].output
    assert "No such file: a.parquet" in output
    assert "Run the stage that saves it first" in output


def test_a_full_disk_is_one_message(invoke):
    error = DatasetError("Failed while saving")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert "Error: the disk is full" in invoke(error=error)[0].output


def test_an_unexpected_error_keeps_its_traceback(invoke):
    result, _ = invoke(error=ZeroDivisionError("x"))
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_value_that_is_not_yaml_is_explained(invoke):
    result, _ = invoke("--params", "predict.images=*.png")
    assert result.exit_code == 2
    assert "not valid YAML" in result.output
    assert "quote the value twice" in " ".join(result.output.split())


def test_a_comma_in_a_value_is_explained(invoke):
    result, _ = invoke("--params", "predict.images=a,b")
    assert result.exit_code == 2
    assert "A comma separates parameters" in " ".join(result.output.split())


@pytest.fixture
def known(monkeypatch):
    node = Node(len, "metrics", "report", name="score_predictions", tags="evaluate")
    found = {"__default__": Pipeline([node]), "evaluate": Pipeline([node])}
    monkeypatch.setattr(cli, "pipelines", found)


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("--pipelines=evalute", "did you mean 'evaluate'?"),
        ("--pipeline=xyz", "known: evaluate"),
        ("--nodes=score_prediction", "did you mean 'score_predictions'?"),
        ("--from-nodes=score_prediction", "did you mean 'score_predictions'?"),
        ("--to-nodes=xyz", "known: score_predictions"),
        ("--tags=evaluat", "did you mean 'evaluate'?"),
        ("--from-inputs=metric", "did you mean 'metrics'?"),
        ("--to-outputs=reprot", "did you mean 'report'?"),
        ("--runner=ParallelRunner", "use ThreadRunner"),
    ],
)
def test_a_misspelled_name_is_one_line_with_a_suggestion(invoke, known, option, hint):
    result, received = invoke(option)
    assert result.exit_code == 2
    assert hint in result.output.splitlines()[-1]
    assert not received


def test_correct_names_are_passed_on(invoke, known):
    options = ("--pipelines=evaluate", "--nodes=score_predictions", "--tags=evaluate")
    result, received = invoke(*options, "--to-outputs=report")
    assert result.exit_code == 0, result.output
    assert received


@pytest.mark.parametrize("error", [SourceError("a.zip is damaged"), ValueError("unexpected")])
def test_kedro_does_not_repeat_an_error_of_the_user(invoke, caplog, error):
    logger = logging.getLogger("kedro.pipeline.node")
    invoke()
    try:
        raise error
    except (SourceError, ValueError):
        logger.error("Node %s failed with error: \n%s", "x", error)
        logger.error("another problem")
    is_kept = isinstance(error, ValueError)
    assert ("failed with error" in caplog.text) == is_kept
    assert "another problem" in caplog.text
