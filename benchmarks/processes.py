"""Processes of the benchmark, which run one after the other."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.configuration import ENVIRONMENT
from mnist_localization.errors import LocalizationError

_SECONDS = re.compile(r"--- Seconds: (.*)")
_TIMEOUT_S = 7200
# Folder of this package, which is not installed.
_ROOT = Path(__file__).parents[1]


def run_work(
    project: Path, work: str, *numbers: int, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run one measurement in its own process and return its result.

    Args:
        project: Root folder of the repository.
        work: Name of a function of `benchmarks.work`.
        *numbers: Arguments of the function.
        environment: Environment variables of the process in addition to those of this one.

    Raises:
        LocalizationError: The process failed.
    """
    command = [sys.executable, "-m", "benchmarks.work", work, str(project)]
    command += map(str, numbers)
    python_path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(  # noqa: S603  # a module of this package
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=project,
        timeout=_TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONPATH": python_path, **(environment or {})},
    )
    if done.returncode:
        raise LocalizationError(f"the measurement {work} failed; see its error above")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def run_pipeline(project: Path, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Run `kedro run` from archives to report and measure time and memory.

    Args:
        project: Root folder of the repository.
        parameters: Values of parameters, by name.

    Returns:
        `seconds` of wall time including start-up, `stages` (name to seconds), and `peak_mb`, the
        peak resident memory of the main process in MiB (`None` if the system does not report it).

    Raises:
        LocalizationError: The run failed.
    """
    command = [sys.executable, "-m", "kedro", "run", f"--env={ENVIRONMENT}"]
    if parameters:
        command += ["--params", ",".join(f"{name}={value}" for name, value in parameters.items())]
    log = project / "data" / ENVIRONMENT / "benchmark" / "run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=project)  # noqa: S603  # a command of this project
        try:
            peak = _peak_memory(process)
        finally:
            process.kill()  # no effect if it has ended
    seconds = time.perf_counter() - started
    written = log.read_text("utf-8")
    if process.returncode:
        raise LocalizationError(f"`kedro run` failed; see its log {log}\n{written[-2000:]}")
    stages = _SECONDS.findall(written)[-1]
    return {
        "seconds": round(seconds, 1),
        "stages": {
            name: float(value) for name, value in (part.split() for part in stages.split(", "))
        },
        "peak_mb": peak,
    }


def _peak_memory(process: subprocess.Popen[Any]) -> float | None:
    """Wait for the end of a process and return its peak resident memory in MiB."""
    status = Path(f"/proc/{process.pid}/status")
    peak = None
    while process.poll() is None:
        try:
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text("utf-8"))
        except OSError:
            found = None
        if found:
            peak = int(found[1]) / 1024
        time.sleep(0.2)
    return peak
