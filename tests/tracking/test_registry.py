import json
from dataclasses import replace
from pathlib import Path

import pytest

from support.small_publications import FOLDER, make_tracker, publication
from support.wandb_stub import KEY, StubServer

TARGET = "someone/models/digits"


def publish(root: Path, *, is_best: bool = True, link_to: str = TARGET):
    tracker = make_tracker(
        root, "publish", settings={"link_to": link_to, "link_aliases": ("production",)}
    )
    return tracker.publish(replace(publication(), is_best=is_best))


def test_the_best_run_is_linked_once(tmp_path: Path, account: StubServer) -> None:
    publish(tmp_path)
    publish(tmp_path)
    ((artifact, target, aliases),) = account.links
    assert account.artifacts[artifact]["artifactCollectionName"] == "localizer"
    assert (target, aliases) == (TARGET, ["production"])


def test_another_collection_is_linked_as_well(tmp_path: Path, account: StubServer) -> None:
    publish(tmp_path)
    publish(tmp_path, link_to="someone/models/others")
    assert [target for _, target, _ in account.links] == [TARGET, "someone/models/others"]


@pytest.mark.parametrize(("is_best", "link_to"), [(False, TARGET), (True, "")])
def test_nothing_else_is_linked(
    tmp_path: Path, account: StubServer, is_best: bool, link_to: str
) -> None:
    publish(tmp_path, is_best=is_best, link_to=link_to)
    assert account.links == []


def test_a_run_that_is_promoted_later_is_linked_by_the_next_publication(
    tmp_path: Path, account: StubServer
) -> None:
    publish(tmp_path, is_best=False)
    assert publish(tmp_path).unchanged
    assert len(account.links) == 1


def test_a_run_that_was_published_offline_is_linked_later(
    tmp_path: Path,
    server: StubServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    assert publish(tmp_path).mode == "offline"
    assert f"the next online publication links the best run to {TARGET}" in caplog.text
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    publish(tmp_path)
    assert len(server.links) == 1


def test_a_link_that_the_server_rejects_is_added_by_the_next_publication(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    account.rejects = {"LinkArtifact"}
    publish(tmp_path)
    assert account.links == []
    assert "cannot link the model to the registry" in caplog.text
    assert json.loads((tmp_path / FOLDER / "runs.json").read_text())["linked"] == ""
    account.rejects = set()
    publish(tmp_path)
    assert len(account.links) == 1
