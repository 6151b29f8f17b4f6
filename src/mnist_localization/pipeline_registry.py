"""Pipelines of the project: one folder for each stage, found by name."""

from functools import reduce
from operator import add

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

# Stages of `kedro run`, in this order.
STAGES = ("fetch", "annotate", "split", "train", "evaluate", "publish")


def register_pipelines() -> dict[str, Pipeline]:
    """Return all pipelines by name; `__default__` is the sum of the six stages.

    The name of a pipeline is the namespace of its nodes: kedro viz shows one group for each stage,
    and deployments can group by namespace. Names of datasets and parameters are unchanged.

    With `--pipelines=<stage>` Kedro imports only the named pipelines, so `__default__` is then the
    sum of the imported stages.
    """
    pipelines = {
        name: Pipeline(found, namespace=name, prefix_datasets_with_namespace=False)
        for name, found in find_pipelines(raise_errors=True).items()
        if name != "__default__"
    }
    stages = {name: pipelines.pop(name) for name in STAGES if name in pipelines}
    default = reduce(add, stages.values(), Pipeline([]))
    # kedro viz shows the pipelines in this order.
    return {"__default__": default, **stages, **dict(sorted(pipelines.items()))}
