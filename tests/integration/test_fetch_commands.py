"""The stage `fetch` through the command line, with servers on the loopback interface."""

import pandas as pd
import pytest
import yaml

from mnist_localization.data.sources import fetch
from support import servers
from support.fetch_settings import make_settings
from support.project import Project
from support.tiny_dataset import NAMES, make_tiny_dataset

ARCHIVE = NAMES[0]
SECRET = "sesame-open-7"  # noqa: S105


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_dataset(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def project(tmp_path):
    return Project.make(tmp_path / "project")


def source(url):
    return f"fetch.base_url={url}"


def expected_card(tmp_path, **changes):
    """Return the card of an uninterrupted fetch of the same source, as JSON data."""
    card = fetch(make_settings(**changes), tmp_path / "expected", tmp_path)
    return card.model_dump(mode="json")


def images_of(project, card, split="train"):
    folder = project.data / "01_raw" / card["folder"] / card["splits"][split]["images"]
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_interrupted_download_is_resumed_without_a_warning(project, tiny):
    arguments = ("--pipelines=fetch,annotate", "--params")
    with servers.serving(tiny) as server:
        server.modes[ARCHIVE] = servers.interrupts(times=1)
        url = server.url.replace("//", f"//user:{SECRET}@") + f"?token={SECRET}"
        log = project.run(*arguments, source(url))
        shown = server.url
        assert server.names().count(ARCHIVE) == 2
    card = project.json("01_raw/dataset_card.json")
    assert (card["source"], card["base_url"]) == ("base_url", shown)
    assert (card["train_images"], card["test_images"]) == (30, 10)
    rows = pd.read_parquet(project.data / "02_intermediate" / "train_annotations.parquet")
    assert set(rows["file"]) == set(images_of(project, card))
    assert "connection ended" in log
    for line in log.splitlines():
        assert "WARNING" not in line, line
    assert SECRET not in log
    for path in project.path.rglob("*"):
        assert not (path.is_file() and SECRET.encode() in path.read_bytes()), path
    # The verified files need no server.
    project.run(*arguments, source(url))
    assert project.json("01_raw/dataset_card.json") == card


def test_a_wrong_hash_is_one_message_and_the_correct_file_is_accepted(project, tiny, tmp_path):
    expected = expected_card(tmp_path, base_url=str(tiny))["files"]
    sums = {name: file["sha256"] for name, file in expected.items()}
    with servers.serving(tiny) as server:
        settings = {"fetch": {"base_url": server.url, "sha256": sums}}
        local = project.path / "conf" / "test" / "parameters_source.yml"
        local.write_text(yaml.safe_dump(settings), "utf-8")
        server.modes[ARCHIVE] = servers.wrong_byte
        log = project.run("--pipelines=fetch", fails=True)
        assert f"{ARCHIVE}: expected SHA-256 {sums[ARCHIVE]}, found " in log
        assert "Traceback" not in log
        assert not (project.data / "01_raw" / "dataset_card.json").exists()
        server.modes.clear()
        project.run("--pipelines=fetch")
    assert project.json("01_raw/dataset_card.json")["files"] == expected


def test_other_content_than_upstream_is_an_error_without_a_stand_in(project, tiny):
    with servers.serving(tiny) as server:
        log = project.run(
            "--pipelines=fetch",
            "--params",
            f"fetch.source=upstream,fetch.upstream.url={server.url}",
            fails=True,
        )
    assert f"{ARCHIVE}: expected git blob id d3d398792a63bff257b74e07fee5b351aff75d72" in log
    assert "Traceback" not in log
    assert not list(project.data.glob("01_raw/synthetic*"))


def test_an_unreachable_upstream_is_replaced_by_a_stand_in(project):
    url = servers.refusing_url()
    log = project.run(
        "--pipelines=fetch", "--params", f"fetch.source=upstream,fetch.upstream.url={url}"
    )
    assert "THE PUBLISHED DATASET COULD NOT BE REACHED" in log
    card = project.json("01_raw/dataset_card.json")
    assert (card["source"], card["requested_source"]) == ("synthetic", "upstream")
    assert url in card["fallback_reason"]


def test_a_killed_download_is_resumed(project, tiny, tmp_path):
    arguments = ("--pipelines=fetch", "--params")
    with servers.serving(tiny, servers.stalls_halfway) as server:
        raw = project.data / "01_raw"
        half = (tiny / ARCHIVE).stat().st_size // 2

        def is_halfway(_: str) -> bool:
            return any(path.stat().st_size == half for path in raw.glob(f"*/.{ARCHIVE}.part"))

        project.kill_when(is_halfway, *arguments, source(server.url))
        assert not (raw / "dataset_card.json").exists()
        server.mode = servers.complete
        project.run(*arguments, source(server.url))
        assert server.requested[1] == (ARCHIVE, f"bytes={half}-")
    card = project.json("01_raw/dataset_card.json")
    expected = expected_card(tmp_path, base_url=str(tiny))
    assert card["files"] == expected["files"]
    assert (card["train_images"], card["test_images"]) == (30, 10)


def test_killed_generation_and_unpacking_are_repeated(project, tmp_path):
    synthetic = {"train_images": 3000, "test_images": 40}
    options = ",".join(f"fetch.synthetic.{name}={value}" for name, value in synthetic.items())
    arguments = ("--pipelines=fetch", "--params", options)
    raw = project.data / "01_raw"

    def is_partly_made(_: str) -> bool:
        return any(path.stat().st_size for path in raw.glob(f"*/.scratch/{ARCHIVE}"))

    def is_partly_unpacked(_: str) -> bool:
        return any(raw.glob("*/images/.MNIST_Converted_Training.part/*100.png"))

    project.kill_when(is_partly_made, *arguments)
    assert not list(raw.glob(f"*/{ARCHIVE}"))
    project.kill_when(is_partly_unpacked, *arguments)
    assert list(raw.glob("*/images/.MNIST_Converted_Training.part"))
    assert not (raw / "dataset_card.json").exists()
    project.run(*arguments)

    card = project.json("01_raw/dataset_card.json")
    complete = expected_card(tmp_path, source="synthetic", synthetic=card["synthetic"])
    assert card == complete
    expected = tmp_path / "expected" / card["folder"] / card["splits"]["train"]["images"]
    assert images_of(project, card) == {path.name: path.read_bytes() for path in expected.iterdir()}
    assert not list(raw.rglob("*.part"))
    assert not list(raw.rglob(".scratch"))
