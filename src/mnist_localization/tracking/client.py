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

# A server that takes an upload slowly may take so many times longer than one that stalls.
_PATIENCE = 10
_ANSWER = "answer: "
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
        self._last_sign = time.monotonic()
        self.timed_out = False
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

    def wait(self, limit_s: float) -> None:
        """Wait for the end of the task; a client that gets nowhere is killed.

        One that still makes progress when the limit is reached is given more time, until it
        pauses for a third of the limit, or has taken ten times as long.

        Args:
            limit_s: Seconds that are waited.
        """
        started = time.monotonic()
        latest = started + limit_s * _PATIENCE
        while True:
            until = min(max(started + limit_s, self._last_sign + limit_s / 3), latest)
            rest = until - time.monotonic()
            if rest <= 0:
                self.timed_out = True
                self.kill()
                return
            try:
                self._child.wait(min(rest, 0.5))
            except subprocess.TimeoutExpired:
                continue
            self._reader.join(1.0)
            self._close_input()
            return

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
            self._last_sign = time.monotonic()
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
