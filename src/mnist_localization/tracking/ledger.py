"""The ledger of the runs opened for one training: what a later stage finds again."""

import json
import logging
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

logger = logging.getLogger(__name__)

State = Literal["open", "finished", "failed", "killed"]


@dataclass
class RunEntry:
    """One W&B run.

    Attributes:
        id: Its id on W&B.
        job_type: `train`, `evaluate`, `publish` or `pipeline`.
        folder: Its files, relative to the project where they lie inside it.
        url: Its page; none while it is offline.
        state: `open` while its process lives, then how it ended.
        epochs: Number of epochs logged.
        uploaded: Whether the server has all of it.
        pid: Process that opened it.
    """

    id: str
    job_type: str
    folder: str
    url: str | None = None
    state: State = "open"
    epochs: int = 0
    uploaded: bool = False
    pid: int = 0


@dataclass
class Ledger:
    """All runs of one training, and what was published of it.

    Attributes:
        group: Name that the runs share on W&B.
        key: What tells this training from another; empty when it was not said.
        trained: Whether the training came to its end.
        runs: The runs, oldest first.
        published: Content hash of what was published last; empty when nothing was.
        report_id: Id of the W&B Report; empty when there is none.
        report_url: Its page.
    """

    group: str
    key: str = ""
    trained: bool = False
    runs: list[RunEntry] = field(default_factory=list)
    published: str = ""
    report_id: str = ""
    report_url: str = ""

    def pending(self) -> list[RunEntry]:
        """Runs that the server does not have yet and that no process is writing."""
        return [run for run in self.runs if not run.uploaded and run.state != "open"]

    def settle(self) -> None:
        """Mark the runs whose process is gone without closing them."""
        for run in self.runs:
            if run.state == "open" and not _is_alive(run.pid):
                run.state = "killed"


def new_ledger(group: str = "", key: str = "") -> Ledger:
    """The ledger of a new training.

    Args:
        group: Configured name of the group; empty makes one up.
        key: What tells this training from another.
    """
    made_up = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return Ledger(group=group or made_up, key=key)


def read_ledger(path: Path) -> Ledger | None:
    """The ledger on disk; none when there is none, or none that can be read."""
    try:
        recorded = json.loads(path.read_text("utf-8"))
        runs = [RunEntry(**run) for run in recorded.pop("runs")]
        ledger = Ledger(**recorded, runs=runs)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        logger.warning("%s cannot be read (%s): the runs named in it are left alone", path, error)
        return None
    ledger.settle()
    return ledger


def write_ledger(ledger: Ledger, path: Path) -> None:
    """Write the ledger beside, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(json.dumps(asdict(ledger), indent=2), "utf-8")
    beside.replace(path)


def described(runs: Iterable[RunEntry]) -> list[dict[str, str | None]]:
    """The runs as the receipt lists them."""
    return [
        {"id": run.id, "job_type": run.job_type, "folder": run.folder, "url": run.url}
        for run in runs
    ]


def _is_alive(pid: int) -> bool:
    # The ledger is read before this process opens a run: its own id is then a leftover.
    if os.name != "posix" or pid in (0, os.getpid()):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
