"""Processes of the benchmark: started one after the other, watched while they run."""

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
_LONGEST_S = 7200


def measured(
    project: Path, work: str, *numbers: int, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What one piece of work measures, in a process of its own.

    Args:
        project: The project's folder.
        work: Name of a function of `benchmarks.work`.
        *numbers: Its arguments.
        environment: Variables of the process, beside those of this one.
    """
    command = [sys.executable, "-m", "benchmarks.work", work, str(project)]
    command += map(str, numbers)
    done = subprocess.run(  # noqa: S603  # our own module
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=project,
        timeout=_LONGEST_S,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        raise LocalizationError(f"the measurement {work} failed; its error stands above")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def whole_run(project: Path, parameters: Mapping[str, str]) -> dict[str, Any]:
    """One `kedro run` from archives to report: its wall time, stages and memory.

    Args:
        project: The project's folder.
        parameters: Parameters to set, by name.

    Returns:
        `seconds` of wall time with start-up, `stages` (name to seconds), and `peak_mb`, the
        most resident memory of the main process in MiB (none where the system does not say).
    """
    command = [sys.executable, "-m", "kedro", "run", f"--env={ENVIRONMENT}"]
    if parameters:
        command += ["--params", ",".join(f"{name}={value}" for name, value in parameters.items())]
    log = project / "data" / ENVIRONMENT / "benchmark" / "run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=project)  # noqa: S603  # our own command
        try:
            peak = _watched(process)
        finally:
            process.kill()  # no effect on one that has ended
    seconds = time.perf_counter() - started
    written = log.read_text("utf-8")
    if process.returncode:
        raise LocalizationError(f"`kedro run` failed; its log is {log}\n{written[-2000:]}")
    stages = _SECONDS.findall(written)[-1]
    return {
        "seconds": round(seconds, 1),
        "stages": {
            name: float(value) for name, value in (part.split() for part in stages.split(", "))
        },
        "peak_mb": peak,
    }


def _watched(process: subprocess.Popen[Any]) -> float | None:
    """Peak resident memory in MiB, as the system counts it, until the process ends."""
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
