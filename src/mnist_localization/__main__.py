"""Entry point of the packaged project: `python -m mnist_localization` is `kedro run`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(arguments: Sequence[str] | None = None, **options: Any) -> Any:
    """Run the command `run` of the project.

    Args:
        arguments: Command-line arguments; `None` takes those of this process.
        **options: Options of `click.Command.main`. By default `standalone_mode` is off in an
            interactive session, so that the command returns instead of exiting.

    Returns:
        The free outputs of the pipelines, if `standalone_mode` is off.
    """
    package_name = Path(__file__).parent.name
    configure_project(package_name)
    options.setdefault("standalone_mode", not hasattr(sys, "ps1"))
    return find_run_command(package_name)(arguments, **options)


if __name__ == "__main__":
    main()
