"""The W&B client in a process of its own: it may stall or be killed, and nothing else is."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

# Seconds between two signs of life that are no silence yet: one file of an upload.
_PAUSE_S = 1.0
_TICK_S = 0.2
_ANSWER = "answer: "
# How the client begins a line that tells of trouble, such as another attempt.
_TROUBLE = ("wandb: WARNING", "wandb: ERROR")
_PROCESS = Path(__file__).with_name("client_process.py")


class Client:
    """One task of the client, running beside."""

    def __init__(self, task: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        """Start it.

        Args:
            task: What to do, in plain JSON types.
            environment: Environment variables beside those of this process.
        """
        self.answer: dict[str, Any] | None = None
        self.said = ""
        self.timed_out = False
        self._last_sign = time.monotonic()
        self._heard: set[str] = set()
        self._child = subprocess.Popen(  # noqa: S603
            # As a file, not as a module: importing this package would load Kedro first.
            [sys.executable, "-P", str(_PROCESS)],
            env=_apart(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # Ctrl-C is for this process, which then ends the client in its own way.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._tell(task)

    def wait(self, silence_s: float, longest_s: float) -> float:
        """Wait for the end of the task; a client that gets nowhere is killed.

        A line that says something new is progress. More than a second without one is
        silence, and so is another attempt at the same thing. One large file is uploaded in
        silence, too.

        Args:
            silence_s: Seconds of silence, in all, that are waited.
            longest_s: Seconds that are waited whatever progress there is.

        Returns:
            Seconds of silence.
        """
        now = started = time.monotonic()
        silent = 0.0
        while self._child.poll() is None:
            if silent >= silence_s or now - started >= longest_s:
                self.timed_out = True
                self.kill()
                return silent
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(_TICK_S)
            before, now = now, time.monotonic()
            silent += max(0.0, now - max(before, self._last_sign + _PAUSE_S))
        self._reader.join(1.0)
        self._close_input()
        return silent

    def kill(self) -> None:
        """End the task now."""
        if os.name == "posix":
            # Its session holds the client's own service, too.
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
        else:
            self._child.kill()
        self._child.wait()
        self._close_input()

    def _tell(self, task: Mapping[str, Any]) -> None:
        if self._child.stdin is not None:
            with suppress(BrokenPipeError):
                self._child.stdin.write(json.dumps(task) + "\n")
                self._child.stdin.flush()

    def _close_input(self) -> None:
        if self._child.stdin is not None:
            with suppress(OSError):
                self._child.stdin.close()

    def _read(self) -> None:
        for line in self._child.stdout or ():
            if line not in self._heard and not line.startswith(_TROUBLE):
                self._last_sign = time.monotonic()
            self._heard.add(line)
            if line.startswith(_ANSWER):
                self.answer = json.loads(line.removeprefix(_ANSWER))
            else:
                self.said = line.strip() or self.said


def _apart(environment: Mapping[str, str]) -> dict[str, str]:
    # Named there, the client's service of this process would be shared, and end with its run.
    inherited = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    return {**inherited, **environment}


def is_uploaded(folder: Path) -> bool:
    """Whether the client has marked a run as whole on the server."""
    return any(folder.glob("*.wandb.synced"))
