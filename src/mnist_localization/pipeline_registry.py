"""The project's pipelines: one folder a stage, found by name."""

from functools import reduce
from operator import add

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

# `kedro run` is exactly these, whatever other pipelines there are.
STAGES = ("fetch", "annotate", "split", "train", "evaluate", "publish")


def register_pipelines() -> dict[str, Pipeline]:
    """All pipelines by name; `__default__` is the six stages.

    The nodes of each pipeline get its name as their namespace: one group a stage in kedro viz,
    and in deployments that group by namespace. Datasets and parameters keep their names.

    Under selective import (`--pipelines=<stage>`) Kedro loads only some of them: the default
    is then the sum of the stages that were loaded.
    """
    pipelines = {
        name: Pipeline(found, namespace=name, prefix_datasets_with_namespace=False)
        for name, found in find_pipelines(raise_errors=True).items()
        if name != "__default__"
    }
    stages = {name: pipelines.pop(name) for name in STAGES if name in pipelines}
    whole = reduce(add, stages.values(), Pipeline([]))
    # In the order of the flow: kedro viz shows them as they come.
    return {"__default__": whole, **stages, **dict(sorted(pipelines.items()))}
