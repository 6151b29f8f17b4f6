"""What runs in the process of the client.

Reads one line of JSON, a task, from standard input, and ends when that input is closed: no
upload outlives the run that it belongs to, whatever ended it.
"""

import json
import os
import runpy
import signal
import sys
import threading
from pathlib import Path
from typing import Any

_ANSWER = "answer: "
_LONGEST = 500  # characters of an error


def main() -> None:
    """Do the task that standard input names."""
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        _do(task)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())[:_LONGEST]}")


def _do(task: dict[str, Any]) -> None:
    if task["name"] == "sync":
        _sync(task["folders"], live=task["live"])
    else:
        report = runpy.run_path(str(Path(__file__).with_name("report.py")))
        sys.stdout.write(_ANSWER + json.dumps(report["save_report"](task["report"])) + "\n")


def _sync(folders: list[str], *, live: bool) -> None:
    from wandb.cli.cli import cli

    options = ["--live"] if live else []
    cli(["beta", "sync", *options, *folders], standalone_mode=False)


def _leave_with_parent() -> None:
    sys.stdin.read()
    if os.name == "posix" and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)  # and with it the client's own service
    os._exit(1)


if __name__ == "__main__":
    main()
