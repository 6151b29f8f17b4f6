"""Facts about the machine and the checkout: cores, git state, package versions."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow

_PACKAGES = ("mnist-localization", "kedro", "keras", "tensorflow", "numpy", "pandas", "wandb")
_GIT_TIMEOUT_S = 5.0
_INTRA_OP_THREADS = "TF_NUM_INTRAOP_THREADS"


def thread_variables() -> dict[str, str]:
    """Return environment variables that limit each TensorFlow operation to half of the cores.

    Two operations of a training step can usually run at the same time, because the gradients of
    a layer's weights do not depend on those of the layer before. Running both on half of the
    cores is faster than one after the other on all cores. A value that is already set is kept.
    """
    default = str(max(1, usable_cores() // 2))
    return {_INTRA_OP_THREADS: os.environ.get(_INTRA_OP_THREADS, default)}


def release_freed_memory() -> None:
    """Return memory that Arrow frees to the operating system at once.

    Its own allocators keep the memory of each table that was read or written.
    """
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())


def usable_cores() -> int:
    """Return the number of cores that this process may use, or all cores if it is unknown."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_fact(name: str) -> str:
    """Return a line of /proc/cpuinfo of the first core, or an empty text if there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return ""
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(values, "")


def instruction_sets(flags: str) -> list[str]:
    """Return the vector instruction sets that determine the speed of TensorFlow's kernels."""
    known = {"avx2": "AVX2", "avx512f": "AVX-512", "amx_tile": "AMX"}
    return [title for flag, title in known.items() if flag in flags.split()]


def machine_text() -> str:
    """Return the number of cores, the processor and its instruction sets as text."""
    sets = " and ".join(instruction_sets(cpu_fact("flags"))) or "neither AVX2 nor AVX-512"
    return f"{usable_cores()} cores, {cpu_fact('model name') or platform.processor()} ({sets})"


def git_state(project_path: Path) -> dict[str, str | bool]:
    """Return commit and state of the working tree.

    Args:
        project_path: Root of the project.

    Returns:
        `git_commit`, and `git_dirty` if tracked files are changed; empty without git or a commit.
    """
    commit = _git(project_path, "rev-parse", "HEAD")
    if not commit:
        return {}
    changes = _git(project_path, "status", "--porcelain", "--untracked-files=no")
    return {"git_commit": commit, "git_dirty": bool(changes)}


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that influence a result."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git(folder: Path, *arguments: str) -> str:
    """Return the output of a git command, or an empty string if it fails."""
    program = shutil.which("git")
    if program is None:
        return ""
    try:
        return subprocess.run(  # noqa: S603
            [program, "-C", str(folder), *arguments],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_GIT_TIMEOUT_S,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
