"""The run_index of the runs opened for one training: what a later stage finds again."""

import json
import logging
import math
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
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
        group: Name that it shares with the other runs of its training.
        url: Its page; none while it is offline.
        state: `open` while its process lives, then how it ended.
        losses: Epochs logged, from 1, each with its loss: they tell one training from another.
        uploaded: Whether the server has all of it.
        pid: Process that opened it.
    """

    id: str
    job_type: str
    folder: str
    group: str = ""
    url: str | None = None
    state: State = "open"
    losses: dict[str, float] = field(default_factory=dict)
    uploaded: bool = False
    pid: int = 0


@dataclass
class RunIndex:
    """All runs of one training, and what was published of it.

    Attributes:
        group: Name that the runs share on W&B.
        key: What tells this training from another; empty when it was not said.
        trained: Whether the training came to its end.
        runs: The runs, oldest first.
        earlier: Runs of earlier trainings that no server has yet.
        published: Content hash of what was published last; empty when nothing was.
        report_id: Id of the W&B Report; empty when there is none.
        report_url: Its page.
    """

    group: str
    key: str = ""
    trained: bool = False
    runs: list[RunEntry] = field(default_factory=list)
    earlier: list[RunEntry] = field(default_factory=list)
    published: str = ""
    report_id: str = ""
    report_url: str = ""

    def losses(self) -> dict[int, float]:
        """Loss of each epoch that one of the runs has."""
        return {int(epoch): loss for run in self.runs for epoch, loss in run.losses.items()}

    def note_epoch(self, run: RunEntry, epoch: int, loss: float) -> None:
        """Note that a run has an epoch; those from it on were of a training begun anew."""
        for other in self.runs:
            before = {known: value for known, value in other.losses.items() if int(known) < epoch}
            other.losses = before
        run.losses[str(epoch)] = loss

    def is_of(self, losses: Mapping[int, float]) -> bool:
        """Whether a training with these losses may be the one whose epochs were logged."""
        return all(
            epoch in losses and _is_same(losses[epoch], loss)
            for epoch, loss in self.losses().items()
        )

    def forget_missing(self, is_there: Callable[[str], bool]) -> None:
        """Forget the runs that are gone: no server has them, and their folder is not there.

        Args:
            is_there: Whether a run's folder exists.
        """
        kept = [run for run in self.runs if run.uploaded or is_there(run.folder)]
        if len(kept) < len(self.runs):
            # What was published may be among it.
            self.runs, self.published = kept, ""
        self.earlier = [run for run in self.earlier if is_there(run.folder)]

    def settle(self) -> None:
        """Mark the runs whose process is gone without closing them."""
        for run in (*self.earlier, *self.runs):
            if run.state == "open" and not _is_alive(run.pid):
                run.state = "killed"


def new_run_index(group: str = "", key: str = "", before: RunIndex | None = None) -> RunIndex:
    """The run_index of a new training.

    Args:
        group: Configured name of the group; empty makes one up.
        key: What tells this training from another.
        before: The last run_index; what is still to be uploaded of it is taken along.
    """
    made_up = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    known = (*before.earlier, *before.runs) if before else ()
    earlier = [run for run in known if not run.uploaded]
    return RunIndex(group=group or made_up, key=key, earlier=earlier)


def pending(runs: Iterable[RunEntry]) -> list[RunEntry]:
    """Those of the runs that the server does not have yet and that no process is writing."""
    return [run for run in runs if not run.uploaded and run.state != "open"]


def read_run_index(path: Path) -> RunIndex | None:
    """The run_index on disk; none when there is none, or none that can be read."""
    try:
        recorded = json.loads(path.read_text("utf-8"))
        for name in ("runs", "earlier"):
            recorded[name] = [RunEntry(**run) for run in recorded[name]]
        run_index = RunIndex(**recorded)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        logger.warning("%s cannot be read (%s): the runs named in it are left alone", path, error)
        return None
    run_index.settle()
    return run_index


def write_run_index(run_index: RunIndex, path: Path) -> None:
    """Write the run_index beside, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(json.dumps(asdict(run_index), indent=2), "utf-8")
    beside.replace(path)


def described(runs: Iterable[RunEntry]) -> list[dict[str, str | None]]:
    """The runs as the receipt lists them."""
    return [
        {"id": run.id, "job_type": run.job_type, "folder": run.folder, "url": run.url}
        for run in runs
    ]


def _is_same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6) or (math.isnan(one) and math.isnan(other))


def _is_alive(pid: int) -> bool:
    # The run_index is read before this process opens a run: its own id is then a leftover.
    if os.name != "posix" or pid in (0, os.getpid()):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
