"""Command `run` of the project: Kedro's own, with readable errors."""

import copy
import difflib
import errno
import logging
import sys
from collections.abc import Collection, Iterable
from typing import Any

import click
import yaml
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines
from kedro.io import DatasetError
from kedro.pipeline import Pipeline
from kedro.validation.exceptions import ParameterValidationError

from mnist_localization.errors import LocalizationError, causes
from mnist_localization.init_dataset import init_dataset
from mnist_localization.runs_command import runs

# Errors whose message is sufficient; all others keep their traceback.
_USER_ERRORS = (
    LocalizationError,
    DatasetError,
    MissingConfigException,
    ParameterValidationError,
    PermissionError,
)
# Loggers of Kedro that repeat an error.
_LOGGERS = (
    "kedro.pipeline.node",
    "kedro.runner.runner",
    "kedro.runner.sequential_runner",
    "kedro.runner.thread_runner",
)
# Command-line names of options whose argument has another name.
_OPTION_NAMES = {
    "node_names": "nodes",
    "from_nodes": "from-nodes",
    "to_nodes": "to-nodes",
    "from_inputs": "from-inputs",
    "to_outputs": "to-outputs",
}
_LISTED = 12


class _UserErrorFilter(logging.Filter):
    """Leaves out what Kedro logs about an error that the command shows as its last line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record tells something else."""
        error = sys.exc_info()[1]
        if error is None or _user_message(error) is None:
            return True
        text = record.getMessage()
        return "failed with error" not in text and not text.startswith("No nodes ran.")


_ERROR_FILTER = _UserErrorFilter()


def _run(**options: Any) -> Any:
    # Kedro deprecates `--pipeline`; this project supports both forms without a warning.
    if options["pipeline"] and not options["pipelines"]:
        options["pipelines"], options["pipeline"] = [options["pipeline"]], ""
    _check_names(options)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_ERROR_FILTER)
    assert kedro_run.callback is not None  # noqa: S101
    try:
        return kedro_run.callback(**options)
    except Exception as error:
        message = _user_message(error)
        if message is None:
            raise
        raise click.ClickException(message) from None


def _check_names(options: dict[str, Any]) -> None:
    """Raise an error for a name that does not exist, with the most similar one that does."""
    if options["runner"] and options["runner"].endswith("ParallelRunner"):
        raise click.BadParameter(
            "a W&B run belongs to one process, so ParallelRunner cannot be used; leave it out, or "
            "use ThreadRunner",
            param_hint="--runner",
        )
    if options["load_versions"]:
        raise click.BadParameter(
            "no dataset has versions; choose a model with --params evaluate.model=NAME, see "
            "`kedro runs list`",
            param_hint="--load-versions",
        )
    if not set(pipelines):
        return  # outside of a project, for which Kedro has a message
    chosen = options["pipelines"] or ["__default__"]
    _check(chosen, set(pipelines), "--pipelines")
    pipeline = sum((pipelines[name] for name in chosen), Pipeline([]))
    names = {node.name for node in pipeline.nodes}
    tags = {tag for node in pipeline.nodes for tag in node.tags}
    for option, known in {
        "node_names": names,
        "from_nodes": names,
        "to_nodes": names,
        "tags": tags,
        "from_inputs": pipeline.datasets(),
        "to_outputs": pipeline.datasets(),
    }.items():
        _check(options.get(option) or (), known, f"--{_OPTION_NAMES.get(option, option)}")


def _check(names: Iterable[str], known: Collection[str], option: str) -> None:
    for name in names:
        if name not in known:
            similar = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {similar[0]!r}?" if similar else f"known: {_listed(known)}"
            raise click.BadParameter(f"{name!r} does not exist; {hint}", param_hint=option)


def _listed(names: Collection[str]) -> str:
    shown = sorted(name for name in names if not name.startswith("__"))
    return ", ".join(shown[:_LISTED]) + (", ..." if len(shown) > _LISTED else "")


def _user_message(error: BaseException) -> str | None:
    """Return the message for the user, or `None` for an unexpected error."""
    chain = list(causes(error))
    for cause in chain:
        if isinstance(cause, LocalizationError):
            return str(cause)
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
            return f"the disk is full ({cause}); free some space and run the same command again"
    if isinstance(error, DatasetError) and any(isinstance(c, FileNotFoundError) for c in chain):
        return f"{error}\nRun the stage that saves it first, or `kedro run` for all stages."
    return str(error) if isinstance(error, _USER_ERRORS) else None


def _with_readable_errors(option: click.Parameter) -> click.Parameter:
    """Return the option; `--params` is wrapped to explain values that are not valid YAML."""
    parse = option.callback
    if option.name != "params" or parse is None:
        return option

    def parse_params(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            return parse(context, parameter, value)
        except yaml.YAMLError as error:
            reason = " ".join(str(error).split())
            raise click.BadParameter(
                f"{value!r}: not valid YAML ({reason}). Start a path with ./ or /, or quote the "
                "value twice: --params 'predict.images=\"*.png\"'",
                context,
                parameter,
            ) from None
        except click.UsageError as error:
            raise click.UsageError(
                f"{error.message} A comma separates parameters and cannot be quoted: replace the "
                "comma in a path by ?, and put a list into conf/local/parameters.yml.",
                context,
            ) from None

    wrapped = copy.copy(option)
    wrapped.callback = parse_params
    return wrapped


run = click.Command(
    name="run",
    params=[_with_readable_errors(option) for option in kedro_run.params],
    callback=_run,
    help="Run the six stages, or those named by --pipelines.",
)


@click.group()
def cli() -> None:
    """Commands of this project."""


cli.add_command(run)
cli.add_command(init_dataset)
cli.add_command(runs)
