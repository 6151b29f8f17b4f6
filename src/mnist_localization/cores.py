"""How TensorFlow shares out this machine's cores; it reads that while it is being imported."""

import os
from collections.abc import Mapping

_VARIABLE = "TF_NUM_INTRAOP_THREADS"


def shared_cores() -> Mapping[str, str]:
    """What the environment has to say for each operation to run on half of the cores.

    Two operations of a training step can nearly always run at the same time: what a layer's
    weights learn does not wait for what the layer before learns. Each runs better on its own
    cores than one after the other on all, where the cores wait for each other at every end.

    Returns:
        Names of variables and their values; what is set already is kept.
    """
    return {_VARIABLE: os.environ.get(_VARIABLE, str(max(1, _usable_cores() // 2)))}


def _usable_cores() -> int:
    """Cores that this process may run on, where the system says so; else all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
