"""All stages on an object store, each in a new process and a folder with only code and conf."""

import json

import fsspec
import pytest

from support.object_store import s3_bucket
from support.project import Project

STAGES = ("fetch", "annotate", "split", "train", "evaluate", "publish")

pytestmark = pytest.mark.slow


@pytest.fixture
def bucket():
    with s3_bucket() as url:
        yield url


class Machines:
    """New project folders whose data are on the bucket."""

    def __init__(self, folder, url):
        self._folder, self._url, self._count = folder, url, 0

    def new(self) -> Project:
        self._count += 1
        project = Project.make(self._folder / f"machine{self._count}")
        (project.path / "conf" / "test" / "globals.yml").write_text(f"data: {self._url}/run\n")
        return project


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    local = Project.make(tmp_path_factory.mktemp("local") / "project")
    local.run()
    return metrics_of(str(local.data))


def metrics_of(data: str) -> dict:
    with fsspec.open(f"{data}/08_reporting/metrics.json") as file:
        return json.load(file)


def test_six_machines_share_only_the_bucket(tmp_path, bucket, expected):
    machines = Machines(tmp_path, bucket)
    for stage in STAGES:
        machine = machines.new()
        machine.run(f"--pipelines={stage}")
        assert not list(machine.path.rglob("s3:*"))
        assert not (machine.path / "data").exists()
    assert metrics_of(f"{bucket}/run") == expected


@pytest.mark.parametrize(
    ("stage", "text"),
    [("split", "--- split"), ("train", "Epoch 2"), ("publish", "--- publish")],
)
def test_a_stage_killed_on_one_machine_ends_on_another(tmp_path, bucket, expected, stage, text):
    machines = Machines(tmp_path, bucket)
    position = STAGES.index(stage)
    machines.new().run(f"--pipelines={','.join(STAGES[:position])}")
    machines.new().kill_at(text, f"--pipelines={stage}")
    log = machines.new().run(f"--pipelines={','.join(STAGES[position:])}")
    assert "its lock is taken over" in log
    assert stage != "train" or "Resuming after epoch" in log
    assert metrics_of(f"{bucket}/run") == expected


def test_the_data_folder_can_be_set_for_one_run(tmp_path, bucket, expected):
    project = Project.make(tmp_path / "project")
    project.run("--params", f"data={bucket}/other")
    assert metrics_of(f"{bucket}/other") == expected
    assert not (project.path / "data").exists()


def test_datasets_are_read_from_a_bucket(tmp_path, bucket):
    project = Project.make(tmp_path / "project")
    project.run("--pipelines=fetch")
    files = fsspec.filesystem("s3")
    names = ("train.zip", "train.csv", "test.zip", "test.csv")
    raw = next((project.data / "01_raw").glob("synthetic-*"))
    found = sorted(path for path in raw.iterdir() if path.suffix in {".zip", ".csv"})
    assert len(found) == len(names)
    for path in found:
        files.put_file(str(path), f"{bucket}/source/{path.name}")
    log = project.run("--pipelines=fetch,annotate", "--params", f"fetch.base_url={bucket}/source")
    assert "Copying" in log
    assert "Copying" not in project.run(
        "--pipelines=fetch", "--params", f"fetch.base_url={bucket}/source"
    )
