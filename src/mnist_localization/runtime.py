"""Facts about this machine and this checkout: cores, git state, package versions."""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("mnist-localization", "kedro", "keras", "tensorflow", "numpy", "pandas", "wandb")
_GIT_LIMIT_S = 5.0
_VARIABLE = "TF_NUM_INTRAOP_THREADS"


def shared_cores() -> Mapping[str, str]:
    """What the environment has to say for each operation to run on half of the cores.

    Two operations of a training step can nearly always run at the same time: what a layer's
    weights learn does not wait for what the layer before learns. Each runs better on its own
    cores than one after the other on all, where the cores wait for each other at every end.

    Returns:
        Names of variables and their values; what is set already is kept.
    """
    return {_VARIABLE: os.environ.get(_VARIABLE, str(max(1, usable_cores() // 2)))}


def usable_cores() -> int:
    """Cores that this process may run on, where the system says so; else all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def git_state(project_path: Path) -> dict[str, str | bool]:
    """Commit of the project, and whether its tracked files differ from it.

    Args:
        project_path: Root of the project.

    Returns:
        `git_commit` and `git_dirty`; nothing where git or a commit is missing.
    """
    commit = _git(project_path, "rev-parse", "HEAD")
    if not commit:
        return {}
    changes = _git(project_path, "status", "--porcelain", "--untracked-files=no")
    return {"git_commit": commit, "git_dirty": bool(changes)}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape a result."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git(folder: Path, *arguments: str) -> str:
    program = shutil.which("git")
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603
            [program, "-C", str(folder), *arguments],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_GIT_LIMIT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
