"""Facts that every run is configured with: where the code stands, and on what it ran."""

import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("mnist-localization", "kedro", "keras", "tensorflow", "numpy", "pandas", "wandb")
_GIT_LIMIT_S = 5.0


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
