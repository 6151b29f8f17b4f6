"""Index of the runs of one training, kept on disk, and the receipt of `publish`."""

import json
import logging
import math
import os
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mnist_localization.files import is_running, write_json

logger = logging.getLogger(__name__)


class RunEntry(BaseModel):
    """One W&B run.

    Attributes:
        folder: Files of the run, relative to the project if they are inside it.
        url: Page of the run; `None` if it is offline.
        losses: Loss of each logged epoch, from 1. They distinguish one training from another.
        outputs: Artifacts, as `name:alias`, without which the run is not uploaded completely.
        inputs: Artifacts, as `name:alias`, that the run uses, and whether the server knows that.
    """

    id: str
    job_type: str
    folder: str
    project: str = ""
    entity: str = ""
    group: str = ""
    url: str | None = None
    state: Literal["open", "finished", "failed", "killed"] = "open"
    losses: dict[int, float] = {}
    has_scores: bool = False
    outputs: list[str] = []
    inputs: dict[str, bool] = {}
    uploaded: bool = False
    pid: int = 0

    @property
    def is_pending(self) -> bool:
        """Return whether the run is closed and the server does not have all of it."""
        return not self.uploaded and self.state != "open"

    @property
    def is_settled(self) -> bool:
        """Return whether the server has the run and knows its inputs."""
        return self.uploaded and all(self.inputs.values())


class Link(BaseModel):
    """Link of a version of the model artifact to a registry.

    Attributes:
        run: Name of the kept run that trained the model.
        artifact: The version as `project/name:alias`, after its entity if one is configured.
        target: Registry path.
        aliases: Aliases of the version in the registry.
        is_made: Whether the server has made the link.
    """

    model_config = ConfigDict(frozen=True)

    run: str
    artifact: str
    target: str
    aliases: tuple[str, ...] = ()
    is_made: bool = False


class RunIndex(BaseModel):
    """All runs of one training and what was published of it.

    Attributes:
        key: Identity of the training; empty if unknown.
        trained: Whether the training is complete.
        fingerprints: Fingerprints of the splits of the training.
        earlier: Runs of earlier trainings that the server does not have.
        published: Hash of the content that was published last; empty if there is none.
        link: Last link to a registry, also of an earlier training. Links before it are not kept,
            because a link moves the aliases away from other versions.
    """

    group: str
    key: str = ""
    trained: bool = False
    fingerprints: dict[str, str] = {}
    runs: list[RunEntry] = []
    earlier: list[RunEntry] = []
    published: str = ""
    link: Link | None = None
    report_url: str = ""

    @classmethod
    def create(cls, group: str = "", key: str = "", before: "RunIndex | None" = None) -> "RunIndex":
        """Create the index of a new training; an empty group generates one.

        Runs of the previous index that the server does not have are kept, and its last link.
        """
        generated = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        known = (*before.earlier, *before.runs) if before else ()
        earlier = [run for run in known if not run.is_settled]
        link = before.link if before else None
        return cls(group=group or generated, key=key, earlier=earlier, link=link)

    @classmethod
    def read(cls, path: Path) -> "RunIndex | None":
        """Read the index; return `None` if there is none or if it is not valid."""
        try:
            index = cls.model_validate(json.loads(path.read_text("utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            logger.warning("%s cannot be read (%s); its runs are ignored", path, reason)
            return None
        for run in (*index.earlier, *index.runs):
            if run.state == "open" and not _is_alive(run.pid):
                run.state = "killed"
        return index

    def save(self, path: Path) -> None:
        """Write the index atomically."""
        write_json(path, self.model_dump())

    def losses(self) -> dict[int, float]:
        """Return the loss of each epoch that one of the W&B runs of the training has."""
        return {epoch: loss for run in self.runs for epoch, loss in run.losses.items()}

    def note_epoch(self, run: RunEntry, epoch: int, loss: float) -> None:
        """Note an epoch of a run and forget later ones, which a restarted training replaces."""
        for other in self.runs:
            other.losses = {at: value for at, value in other.losses.items() if at < epoch}
        run.losses[epoch] = loss

    def matches(self, losses: Mapping[int, float]) -> bool:
        """Return whether the logged epochs can be those of a training with these losses."""
        return all(
            epoch in losses and _is_same(losses[epoch], loss)
            for epoch, loss in self.losses().items()
        )

    def forget_missing(self, exists: Callable[[str], bool]) -> None:
        """Forget runs that the server does not have and whose folder was removed."""
        kept = [run for run in self.runs if run.uploaded or exists(run.folder)]
        if len(kept) < len(self.runs):
            # The removed run may be the one that was published.
            self.runs, self.published = kept, ""
        self.earlier = [run for run in self.earlier if run.uploaded or exists(run.folder)]


class ReceiptRun(BaseModel):
    """One run in the receipt; `url` is `None` if the server does not have the run."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    job_type: str
    folder: str
    url: str | None


class Receipt(BaseModel):
    """The dataset `wandb_receipt`: what `publish` recorded and uploaded.

    Attributes:
        mode: `online` if the server was reached.
        sync_command: Command that uploads what the server does not have, if anything is missing.
        unchanged: Whether the same content was published before.
        linked: Registry path that the published model is linked to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["online", "offline", "disabled"] = "disabled"
    group: str | None = None
    runs: tuple[ReceiptRun, ...] = ()
    report_url: str | None = None
    sync_command: str | None = None
    unchanged: bool = False
    linked: str | None = None


def _is_same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6) or (math.isnan(one) and math.isnan(other))


def _is_alive(pid: int) -> bool:
    # The index is read before this process opens a run, so its own id is a leftover.
    return os.name == "posix" and pid not in (0, os.getpid()) and is_running(pid)
