import pytest

from support.project import Project


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Return a project after one short `kedro run`."""
    project = Project.make(tmp_path_factory.mktemp("viz") / "project")
    project.run("--params", "train.epochs=1,wandb.mode=disabled")
    return project
