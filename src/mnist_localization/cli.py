"""The project's `kedro run`: Kedro's own, without a traceback for what a user can cause."""

import errno
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import click
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


@click.group()
def cli() -> None:
    """Commands of this project."""


cli.add_command(
    click.Command(
        name="run",
        params=kedro_run.params,
        callback=_guarded(kedro_run),
        help="Run the six stages, or those named by --pipelines.",
    )
)
