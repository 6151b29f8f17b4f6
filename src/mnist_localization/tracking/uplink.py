"""The way to a W&B server."""

from collections.abc import Sequence
from pathlib import Path

from mnist_localization.tracking.plan import RunPlan
from mnist_localization.tracking.recorder import Recorder


class Uplink:
    """Uploads what is recorded, within a limit of time."""

    def __init__(self, plan: RunPlan, folder: Path) -> None:
        self._plan = plan
        self.secrets: list[str] = []
        self.is_online = False

    def follow(self, recorder: Recorder) -> str | None:
        """Upload a run while it is recorded; gives its page."""
        return None

    def finish(self) -> bool:
        """Wait for the run that is followed; whether the server has all of it."""
        return False

    def sync(self, folders: Sequence[Path]) -> bool:
        """Upload finished runs; whether the server has all of them."""
        return False

    def run_url(self, run_id: str) -> str | None:
        """Page of a run."""
        return None

    def report(self, spec: object, report_id: str) -> tuple[str, str] | None:
        """Save the W&B Report; gives its id and page."""
        return None
