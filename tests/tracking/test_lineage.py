"""Artifacts that the runs use: the dataset and the model."""

import json
from pathlib import Path
from typing import Any

import pytest

from mnist_localization.tracking import Receipt
from support.dataset_cards import make_card
from support.small_publications import (
    CARD,
    FOLDER,
    PROVENANCE,
    Published,
    make_tracker,
    metrics,
    publication,
    train,
)
from support.wandb_stub import KEY, StubServer


def used_types(server: StubServer, run: str) -> set[str]:
    """Return the types of the artifacts that a run uses."""
    return {
        str(server.artifacts[artifact]["artifactTypeName"])
        for user, artifact in server.uses
        if user == run
    }


def artifact_of(server: StubServer, kind: str) -> tuple[str, dict[str, Any]]:
    found = [
        (identity, artifact)
        for identity, artifact in server.artifacts.items()
        if artifact["artifactTypeName"] == kind
    ]
    return found[-1]


def run_stages(root: Path) -> Receipt:
    training = make_tracker(root, "train")
    train(training)
    training.close()
    evaluation = make_tracker(root, "evaluate")
    evaluation.log_scores(metrics())
    evaluation.close()
    return make_tracker(root, "publish").publish(publication())


def assert_lineage(server: StubServer, receipt: Receipt) -> None:
    uses = {run.job_type: used_types(server, run.id) for run in receipt.runs}
    assert uses == {"train": {"dataset"}, "evaluate": {"model"}, "publish": set()}


def test_the_dataset_is_an_artifact_without_images(published: Published) -> None:
    server = published.server
    identity, dataset = artifact_of(server, "dataset")
    metadata = json.loads(dataset["metadata"])
    assert metadata["source"] == "synthetic"
    assert metadata["train_fingerprint"] == PROVENANCE.train_fingerprint
    names = {
        path.rpartition("/")[2]
        for path in server.files
        if path.startswith(f"artifacts/{identity}/")
    }
    assert {name for name in names if not name.startswith("manifest")} == {"dataset_card.json"}
    stored = server.files[f"artifacts/{identity}/dataset_card.json"]
    assert json.loads(stored) == CARD.model_dump(mode="json")


def test_a_fetched_dataset_refers_to_its_source(tmp_path: Path, account: StubServer) -> None:
    tracker = make_tracker(
        tmp_path,
        "train",
        parameters={"fetch": {"upstream": {"url": "https://me:pw@example.org/data"}}},
    )
    tracker.start_training(make_card(source="upstream"), PROVENANCE)
    tracker.close()
    identity, _ = artifact_of(account, "dataset")
    manifest = json.loads(account.files[f"artifacts/{identity}/manifest-{identity}"])
    assert manifest["contents"]["source"]["ref"] == "https://***@example.org/data"


def test_one_run_uses_dataset_and_model(published: Published) -> None:
    (run,) = published.receipt.runs
    assert used_types(published.server, run.id) == {"dataset", "model"}


def test_online_stages_use_dataset_and_model(tmp_path: Path, account: StubServer) -> None:
    receipt = run_stages(tmp_path)
    assert receipt.mode == "online"
    assert_lineage(account, receipt)


def test_offline_stages_use_dataset_and_model_after_a_later_publication(
    tmp_path: Path, server: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline = run_stages(tmp_path)
    assert offline.mode == "offline"
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    online = make_tracker(tmp_path, "publish").publish(publication())
    assert online.unchanged
    assert_lineage(server, online)

    before = server.count("UseArtifact")
    make_tracker(tmp_path, "publish").publish(publication())
    assert server.count("UseArtifact") == before, "nothing is added twice"


def test_an_input_that_the_server_rejects_is_added_by_a_later_publication(
    tmp_path: Path, account: StubServer
) -> None:
    account.rejects = {"UseArtifact"}
    receipt = run_stages(tmp_path)
    assert account.uses == set()
    index = json.loads((tmp_path / FOLDER / "runs.json").read_text())
    assert all(run["uploaded"] for run in index["runs"])
    account.rejects = set()
    make_tracker(tmp_path, "publish").publish(publication())
    assert_lineage(account, receipt)
