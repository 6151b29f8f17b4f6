"""The project's `kedro run`: Kedro's own, without a traceback for what a user can cause."""

import copy
import errno
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import click
import yaml
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError
from kedro.validation.exceptions import ParameterValidationError

from mnist_localization.errors import LocalizationError

# Errors that say what a user can do about them; anything else keeps its traceback.
_USER_ERRORS = (
    LocalizationError,
    DatasetError,
    MissingConfigException,
    ParameterValidationError,
    PermissionError,
)


def _guarded(command: click.Command) -> Callable[..., Any]:
    callback = command.callback
    assert callback is not None  # noqa: S101  # a command that runs something

    @wraps(callback)
    def run(**options: Any) -> Any:
        # Kedro deprecates `--pipeline`; both spellings are the same here, without the warning.
        if options["pipeline"] and not options["pipelines"]:
            options["pipelines"], options["pipeline"] = [options["pipeline"]], ""
        try:
            return callback(**options)
        except Exception as error:
            message = _message(error)
            if message is None:
                raise
            raise click.ClickException(message) from None

    return run


def _message(error: BaseException) -> str | None:
    """What a user is told; none for an error that is a fault of the code."""
    chain = list(_causes(error))
    for cause in chain:
        if isinstance(cause, LocalizationError):
            return str(cause)
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
            return f"the disk is full ({cause}); free some space and run the same command again"
    if isinstance(error, DatasetError) and any(isinstance(c, FileNotFoundError) for c in chain):
        return f"{error}\nRun the stage that makes it first, or `kedro run` for all of them."
    return str(error) if isinstance(error, _USER_ERRORS) else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _with_readable_errors(option: click.Parameter) -> click.Parameter:
    """`--params` reads values as YAML, and fails without saying so."""
    read = option.callback
    if option.name != "params" or read is None:
        return option

    def read_params(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            return read(context, parameter, value)
        except yaml.YAMLError as error:
            reason = " ".join(str(error).split())
            raise click.BadParameter(
                f"{value!r}: values are read as YAML, and this one cannot be ({reason}). Begin a "
                "path with ./ or /, or quote the value twice: --params 'predict.images=\"*.png\"'",
                context,
                parameter,
            ) from None
        except click.UsageError as error:
            raise click.UsageError(
                f"{error.message} A comma parts parameters and cannot be quoted: write a path's "
                "comma as ?, and put a list into conf/local/parameters.yml.",
                context,
            ) from None

    readable = copy.copy(option)
    readable.callback = read_params
    return readable


@click.group()
def cli() -> None:
    """Commands of this project."""


cli.add_command(
    click.Command(
        name="run",
        params=[_with_readable_errors(option) for option in kedro_run.params],
        callback=_guarded(kedro_run),
        help="Run the six stages, or those named by --pipelines.",
    )
)
