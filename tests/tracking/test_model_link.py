"""Links of the best model to a registry, made by the real client on a server on loopback."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from mnist_localization.tracking import Receipt
from support.small_publications import FOLDER, make_tracker, publication, train
from support.wandb_answers import ORGANIZATION_ENTITY
from support.wandb_stub import KEY, StubServer

TARGET = "wandb-registry-model/mnist-localizer"
SETTINGS = {"link_to": TARGET, "link_aliases": ["production", "small"]}
RUN, OTHER = "glimpse-1a2b3c4d", "glimpse-5e6f7a8b"
LATER = "a later publication links it when it is online"
NEWER = "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE"


def publish(root: Path, best: str = RUN, run: str = RUN, **changes: Any) -> Receipt:
    """Publish a run, in a process of its own, while `best` is promoted."""
    value = 1.0 if run == RUN else 2.0
    tracker = make_tracker(root, "publish", settings=SETTINGS | changes)
    return tracker.publish(publication(value, run=run), best)


def log_in(monkeypatch: pytest.MonkeyPatch, server: StubServer) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)


def models(server: StubServer) -> list[str]:
    """Return the ids of the uploaded versions of the model artifact, in order."""
    return [
        identity
        for identity, artifact in server.artifacts.items()
        if artifact["artifactTypeName"] == "model" and artifact["state"] == "COMMITTED"
    ]


def linked(server: StubServer) -> list[str]:
    """Return the ids of the linked artifacts, in order."""
    return [link["artifactID"] for link in server.links]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    own = [one for one in caplog.records if one.name.startswith("mnist_localization")]
    return [one.getMessage() for one in own if one.levelno >= logging.WARNING]


@pytest.mark.parametrize("features", [(), (NEWER,)], ids=["older-server", "newer-server"])
def test_the_best_model_is_linked_once_with_its_aliases(
    tmp_path: Path,
    account: StubServer,
    caplog: pytest.LogCaptureFixture,
    features: tuple[str, ...],
) -> None:
    caplog.set_level("INFO")
    account.features = features
    assert publish(tmp_path).linked == TARGET
    (link,) = account.links
    assert [link["artifactID"]] == models(account)
    assert link["entityName"] == ORGANIZATION_ENTITY
    assert f"{link['projectName']}/{link['artifactPortfolioName']}" == TARGET
    assert [one["alias"] for one in link["aliases"]] == ["production", "small"]
    assert f"to {TARGET} with the aliases production, small" in caplog.text
    assert warnings_of(caplog) == []

    again = publish(tmp_path)
    assert again.unchanged
    assert again.linked == TARGET
    assert len(account.links) == 1
    assert LATER not in caplog.text


@pytest.mark.parametrize(
    ("best", "run", "target"),
    [(OTHER, RUN, TARGET), ("", RUN, TARGET), ("", "", TARGET), (RUN, "", TARGET), (RUN, RUN, "")],
    ids=["other-run", "no-best-run", "no-run", "unknown-run", "no-registry"],
)
def test_nothing_else_is_linked(
    tmp_path: Path,
    account: StubServer,
    caplog: pytest.LogCaptureFixture,
    best: str,
    run: str,
    target: str,
) -> None:
    caplog.set_level("INFO")
    receipt = publish(tmp_path, best, run, link_to=target)
    assert receipt.mode == "online"
    assert receipt.linked is None
    assert account.count("LinkArtifact") == 0
    assert LATER not in caplog.text


def test_unchanged_content_is_linked_after_its_promotion(
    tmp_path: Path, account: StubServer
) -> None:
    assert publish(tmp_path, best="").linked is None
    promoted = publish(tmp_path)
    assert promoted.unchanged
    assert promoted.linked == TARGET
    assert linked(account) == models(account)


def test_a_changed_registry_or_alias_links_again(tmp_path: Path, account: StubServer) -> None:
    publish(tmp_path)
    assert publish(tmp_path, link_to="other/models").linked == "other/models"
    publish(tmp_path, link_to="other/models", link_aliases="staging")
    publish(tmp_path, link_to="other/models", link_aliases="staging")
    assert linked(account) == models(account) * 3
    assert [one["projectName"] for one in account.links[1:]] == ["other", "other"]
    assert [one["alias"] for one in account.links[2]["aliases"]] == ["staging"]


def test_a_rollback_moves_the_aliases_back(tmp_path: Path, account: StubServer) -> None:
    for run in (RUN, OTHER, RUN):
        assert publish(tmp_path, best=run, run=run).linked == TARGET
    first, second, third = linked(account)
    assert first != second
    assert third in models(account)
    assert third != second


def test_an_offline_publication_is_linked_by_a_later_one(
    tmp_path: Path,
    server: StubServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    offline = publish(tmp_path)
    assert offline.mode == "offline"
    assert offline.linked is None
    assert caplog.text.count(LATER) == 1
    assert f"{RUN}, is not linked to {TARGET} yet" in caplog.text

    log_in(monkeypatch, server)
    online = publish(tmp_path)
    assert online.unchanged
    assert online.linked == TARGET
    assert linked(server) == models(server)
    assert caplog.text.count(LATER) == 1


@pytest.mark.parametrize("best", [RUN, OTHER])
def test_a_model_of_an_earlier_training_is_linked_if_it_is_still_the_best(
    tmp_path: Path, server: StubServer, monkeypatch: pytest.MonkeyPatch, best: str
) -> None:
    publish(tmp_path)
    log_in(monkeypatch, server)
    training = make_tracker(tmp_path, "train", settings=SETTINGS)
    train(training, key="another training")
    training.close()
    receipt = publish(tmp_path, best, run="glimpse-33333333")
    assert receipt.linked is None, "the published model is another one"
    newer, older = models(server)
    assert linked(server) == ([older] if best == RUN else [])
    assert newer != older

    publish(tmp_path, best, run="glimpse-33333333")
    assert len(server.links) == (best == RUN), "nothing is linked twice"


@pytest.mark.parametrize("operation", ["LinkArtifact", "FetchOrgInfoFromEntity"])
def test_a_rejected_link_is_one_warning_and_is_tried_again(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture, operation: str
) -> None:
    caplog.set_level("INFO")
    account.rejects = {operation}
    receipt = publish(tmp_path)
    assert receipt.mode == "online"
    assert receipt.report_url
    assert receipt.linked is None
    (warning,) = warnings_of(caplog)
    assert f"to {TARGET} (" in warning
    assert "rejected" in warning
    assert "the next publication tries again" in warning
    assert LATER not in caplog.text

    account.rejects = set()
    assert publish(tmp_path).linked == TARGET
    assert linked(account) == models(account)


def test_a_server_that_stalls_at_the_link_costs_a_limited_time(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    account.stall_on = {"LinkArtifact"}
    receipt = publish(tmp_path, timeout_s=8.0)
    assert receipt.linked is None
    (warning,) = warnings_of(caplog)
    assert "cannot link the model" in warning
    assert "within the limit wandb.timeout_s" in warning
    account.stall_on = set()
    assert publish(tmp_path).linked == TARGET


def test_a_model_that_is_not_uploaded_is_not_linked(tmp_path: Path, account: StubServer) -> None:
    account.rejects = {"CommitArtifact"}
    assert publish(tmp_path).linked is None
    assert account.count("FetchOrgInfoFromEntity") == 0
    account.rejects = set()
    assert publish(tmp_path).linked == TARGET


def test_messages_about_a_link_contain_no_secrets(
    tmp_path: Path, account: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    target = f"wandb-registry-model/{KEY}"
    account.rejects = {"LinkArtifact"}
    publish(tmp_path, link_to=target)
    account.rejects = set()
    publish(tmp_path, link_to=target)
    assert "linked" in caplog.text
    assert KEY not in "".join(one.getMessage() for one in caplog.records)
    receipt = publish(tmp_path, link_to=target)
    assert KEY not in receipt.model_dump_json()


def test_a_link_is_noted_in_the_index(tmp_path: Path, account: StubServer) -> None:
    publish(tmp_path)
    assert account.links
    link = json.loads((tmp_path / FOLDER / "runs.json").read_text())["link"]
    assert link["artifact"].startswith("boxes/localizer:content-")
    del link["artifact"]
    assert link == {
        "run": RUN,
        "target": TARGET,
        "aliases": ["production", "small"],
        "is_made": True,
    }
