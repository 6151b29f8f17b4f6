"""Command `run` of the project: Kedro's own, with readable errors."""

import copy
import errno
from typing import Any

import click
import yaml
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError
from kedro.validation.exceptions import ParameterValidationError

from mnist_localization.errors import LocalizationError, causes

# Errors whose message is sufficient; all others keep their traceback.
_USER_ERRORS = (
    LocalizationError,
    DatasetError,
    MissingConfigException,
    ParameterValidationError,
    PermissionError,
)


def _run(**options: Any) -> Any:
    # Kedro deprecates `--pipeline`; this project supports both forms without a warning.
    if options["pipeline"] and not options["pipelines"]:
        options["pipelines"], options["pipeline"] = [options["pipeline"]], ""
    assert kedro_run.callback is not None  # noqa: S101
    try:
        return kedro_run.callback(**options)
    except Exception as error:
        message = _user_message(error)
        if message is None:
            raise
        raise click.ClickException(message) from None


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
