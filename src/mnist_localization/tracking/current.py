"""The tracker of this process: made ready by the hooks, got by nodes through the catalog."""

import threading
from pathlib import Path

from mnist_localization.tracking.run_context import RunContext
from mnist_localization.tracking.tracker import Tracker


class _Current:
    """What this process tracks at the moment."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.plan = RunContext()
        self.tracker: Tracker | None = None


_current = _Current()


def expect_run(plan: RunContext) -> None:
    """Make a `kedro run` ready to be tracked; nothing is opened yet.

    Args:
        plan: What the `kedro run` says about its W&B run.
    """
    with _current.lock:
        _current.plan, _current.tracker = plan, None


def current_tracker(folder: Path) -> Tracker:
    """The tracker of the `kedro run` in this process; a disabled one outside of any.

    Args:
        folder: Folder of the run_index and of all that W&B writes.
    """
    with _current.lock:
        if _current.tracker is None:
            _current.tracker = Tracker(_current.plan, folder)
        return _current.tracker


def close_run(error: BaseException | None = None) -> None:
    """Close the run of this process, where one is open.

    Args:
        error: What stopped the `kedro run`; it marks the run failed.
    """
    with _current.lock:
        tracker = _current.tracker
        _current.plan, _current.tracker = RunContext(), None
    if tracker is not None:
        tracker.close(error)
