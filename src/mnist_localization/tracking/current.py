"""The tracker of this process: made ready by the hooks, got by nodes through the catalog."""

import threading
from pathlib import Path

from mnist_localization.tracking.plan import RunPlan
from mnist_localization.tracking.tracker import Tracker

_lock = threading.Lock()
_plan = RunPlan()
_tracker: Tracker | None = None


def expect_run(plan: RunPlan) -> None:
    """Make a `kedro run` ready to be tracked; nothing is opened yet.

    Args:
        plan: What the `kedro run` says about its W&B run.
    """
    global _plan, _tracker
    with _lock:
        _plan, _tracker = plan, None


def current_tracker(folder: Path) -> Tracker:
    """The tracker of the `kedro run` in this process; a disabled one outside of any.

    Args:
        folder: Folder of the ledger and of all that W&B writes.
    """
    global _tracker
    with _lock:
        if _tracker is None:
            _tracker = Tracker(_plan, folder)
        return _tracker


def close_run(error: BaseException | None = None) -> None:
    """Close the run of this process, where one is open.

    Args:
        error: What stopped the `kedro run`; it marks the run failed.
    """
    global _plan, _tracker
    with _lock:
        tracker, _tracker, _plan = _tracker, None, RunPlan()
    if tracker is not None:
        tracker.close(error)
