"""The project's pipelines: one folder a stage, found by name."""

from functools import reduce
from operator import add

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

# `kedro run` is exactly these, whatever other pipelines there are.
STAGES = ("fetch", "annotate", "split", "train", "evaluate", "publish")


def register_pipelines() -> dict[str, Pipeline]:
    """All pipelines by name; `__default__` is the six stages.

    Under selective import (`--pipelines=<stage>`) Kedro loads only some of them: the default
    is then the sum of the stages that were loaded.
    """
    pipelines = find_pipelines(raise_errors=True)
    stages = [pipelines[name] for name in STAGES if name in pipelines]
    pipelines["__default__"] = reduce(add, stages, Pipeline([]))
    return pipelines
